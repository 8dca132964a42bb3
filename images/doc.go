// Package images turns files into OCI images and brings them to a registry.
//
//	files --Store.WriteLayer--> Layer --Image--> v1.Image --Index--> v1.ImageIndex --Push--> registry
//	                                                                              '--WriteLayoutTar--> a tar to import
//
// Images and layers are go-containerregistry's v1 types, so that whatever reads
// those reads ours. All bytes are functions of the input alone: no clock, no
// machine, no order of a map.
package images

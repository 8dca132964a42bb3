// Package release reads, checks and writes what a release publishes about
// itself: the Release and ReleaseChannel manifests of
// distro.eks.amazonaws.com/v1alpha1, field for field as EKS Distro publishes
// them, and the record, which holds what that schema has no room for.
//
// It reads from an io.Reader and needs no network, registry client or cloud SDK;
// package fetch brings manifests from elsewhere.
package release

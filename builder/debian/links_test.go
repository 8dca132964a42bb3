package debian

import "github.com/slipway-k8s/slipway/builder/files"

// iptablesLinks are the links that the recipe of kube-proxy adds.
func iptablesLinks() []files.File {
	var links []files.File
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, verb := range []string{"", "-save", "-restore"} {
			links = append(links, files.Symlink("usr/sbin/"+family+verb, "iptables-wrapper"))
		}
	}
	return links
}

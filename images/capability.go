package images

import "encoding/binary"

// From linux/capability.h.
const (
	vfsCapRevision2       = 0x02000000
	vfsCapFlagsEffective  = 0x000001
	capNetBindServiceBit  = 10
	vfsCapRevision2Length = 20
)

// CapNetBindService returns the extended attribute that lets a program which is
// not run by root listen on ports below 1024 (cap_net_bind_service+ep), for
// files.File.Xattrs. Revision 2 rather than 3: 3 is tied to the root of a user
// namespace.
//
// The kernel refuses to start a program whose effective file capability is not
// in the container's bounding set, so a pod that drops ALL has to add
// NET_BIND_SERVICE again (upstream's CoreDNS manifests do).
func CapNetBindService() map[string]string {
	// struct vfs_cap_data: magic_etc, then permitted and inheritable for the
	// lower and the upper 32 capabilities, all little-endian.
	b := make([]byte, vfsCapRevision2Length)
	binary.LittleEndian.PutUint32(b[0:], vfsCapRevision2|vfsCapFlagsEffective)
	binary.LittleEndian.PutUint32(b[4:], 1<<capNetBindServiceBit)
	return map[string]string{"security.capability": string(b)}
}

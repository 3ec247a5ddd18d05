package machine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Delays are how long the threads of a process waited, summed over them, since
// it began. What is nil was not told.
type Delays struct {
	CPU    *time.Duration // ready to run, and another ran
	Block  *time.Duration // for a block device
	Memory *time.Duration // for pages: reclaiming, swapping in, compacting
}

// sub is what was waited since an earlier moment.
func (d Delays) sub(earlier Delays) Delays {
	return Delays{CPU: less(d.CPU, earlier.CPU), Block: less(d.Block, earlier.Block), Memory: less(d.Memory, earlier.Memory)}
}

// ReadDelays asks taskstats (Documentation/accounting/taskstats.rst of the
// kernel) about the process pid. It answers root alone, and knows of block
// devices and memory only of processes that began while
// kernel.task_delayacct was 1.
func ReadDelays(pid int) (Delays, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return Delays{}, fmt.Errorf("ask taskstats: %w", err)
	}
	defer unix.Close(socket)
	// A kernel that does not answer is no reason to wait for ever.
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return Delays{}, fmt.Errorf("ask taskstats: %w", err)
	}
	found, err := askNetlink(socket, unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, unix.CTRL_ATTR_FAMILY_NAME, []byte(unix.TASKSTATS_GENL_NAME+"\x00"))
	if err != nil {
		return Delays{}, fmt.Errorf("find taskstats: %w", err)
	}
	family, ok := attribute(found, unix.CTRL_ATTR_FAMILY_ID)
	if !ok || len(family) < 2 {
		return Delays{}, errors.New("find taskstats: the kernel names no family")
	}
	answer, err := askNetlink(socket, binary.NativeEndian.Uint16(family), unix.TASKSTATS_CMD_GET, unix.TASKSTATS_CMD_ATTR_TGID, binary.NativeEndian.AppendUint32(nil, uint32(pid)))
	if err != nil {
		return Delays{}, fmt.Errorf("ask taskstats about process %d: %w", pid, err)
	}
	nested, _ := attribute(answer, unix.TASKSTATS_TYPE_AGGR_TGID)
	b, ok := attribute(nested, unix.TASKSTATS_TYPE_STATS)
	var stats unix.Taskstats
	if !ok || len(b) < int(unsafe.Offsetof(stats.Ac_comm)) {
		return Delays{}, fmt.Errorf("ask taskstats about process %d: the answer holds none", pid)
	}
	// Newer kernels tell more, older ones less: the rest stays 0.
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&stats)), unsafe.Sizeof(stats)), b)
	d := Delays{CPU: new(time.Duration(stats.Cpu_delay_total))}
	// Before Linux 5.14 there is no such switch, and it is on.
	if on, err := os.ReadFile("/proc/sys/kernel/task_delayacct"); err != nil || len(on) > 0 && on[0] == '1' {
		d.Block = new(time.Duration(stats.Blkio_delay_total))
		d.Memory = new(time.Duration(stats.Swapin_delay_total + stats.Freepages_delay_total + stats.Compact_delay_total))
	}
	return d, nil
}

// The sizes of what precedes a message and an attribute (netlink(7)).
const (
	messageHeader   = unix.SizeofNlMsghdr + 4 // and that of generic netlink
	attributeHeader = unix.SizeofNlAttr
)

// askNetlink sends one command with one attribute and returns the attributes
// of the answer.
func askNetlink(socket int, family uint16, command, attribute uint16, value []byte) ([]byte, error) {
	end := messageHeader + attributeHeader + len(value)
	m := make([]byte, 0, end+3)
	m = binary.NativeEndian.AppendUint32(m, uint32((end+3)&^3))
	m = binary.NativeEndian.AppendUint16(m, family)
	m = binary.NativeEndian.AppendUint16(m, unix.NLM_F_REQUEST)
	m = binary.NativeEndian.AppendUint32(m, 1) // sequence number
	m = binary.NativeEndian.AppendUint32(m, 0) // to whom: the kernel
	m = append(m, byte(command), 1, 0, 0)      // of version 1
	m = binary.NativeEndian.AppendUint16(m, uint16(attributeHeader+len(value)))
	m = binary.NativeEndian.AppendUint16(m, attribute)
	m = append(m, value...)
	for len(m)%4 != 0 {
		m = append(m, 0)
	}
	if err := unix.Sendto(socket, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	b := make([]byte, 16<<10)
	n, _, err := unix.Recvfrom(socket, b, 0)
	if err != nil {
		return nil, err
	}
	b = b[:n]
	if n >= unix.SizeofNlMsghdr+4 && binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
		return nil, unix.Errno(-int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])))
	}
	if n < messageHeader {
		return nil, fmt.Errorf("an answer of %d bytes", n)
	}
	return b[messageHeader:], nil
}

// attribute finds an attribute's value among those in b.
func attribute(b []byte, kind uint16) ([]byte, bool) {
	for len(b) >= attributeHeader {
		length := int(binary.NativeEndian.Uint16(b))
		if length < attributeHeader || length > len(b) {
			return nil, false
		}
		// The top bits say that it nests, or whose byte order it has.
		if binary.NativeEndian.Uint16(b[2:])&^0xc000 == kind {
			return b[attributeHeader:length], true
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil, false
}

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

// Delays are how long the threads of a process have waited since it started,
// summed over the threads. What the kernel does not report is nil.
type Delays struct {
	CPU    *time.Duration // ready to run while others ran
	Block  *time.Duration // for a block device
	Memory *time.Duration // for pages: reclaiming, swapping in, compacting
}

// sub returns the delays since an earlier moment.
func (d Delays) sub(earlier Delays) Delays {
	return Delays{CPU: less(d.CPU, earlier.CPU), Block: less(d.Block, earlier.Block), Memory: less(d.Memory, earlier.Memory)}
}

// ReadDelays asks taskstats (Documentation/accounting/taskstats.rst of the
// kernel) about process pid. Only root gets an answer, and delays for block
// devices and memory are counted only for processes that started while
// kernel.task_delayacct was 1.
func ReadDelays(pid int) (Delays, error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_GENERIC)
	if err != nil {
		return Delays{}, fmt.Errorf("ask taskstats: %w", err)
	}
	defer unix.Close(socket)
	// A kernel that does not answer must not block us for ever.
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return Delays{}, fmt.Errorf("ask taskstats: %w", err)
	}
	found, err := askNetlink(socket, unix.GENL_ID_CTRL, unix.CTRL_CMD_GETFAMILY, unix.CTRL_ATTR_FAMILY_NAME, []byte(unix.TASKSTATS_GENL_NAME+"\x00"))
	if err != nil {
		return Delays{}, fmt.Errorf("find taskstats: %w", err)
	}
	family, ok := attribute(found, unix.CTRL_ATTR_FAMILY_ID)
	if !ok || len(family) < 2 {
		return Delays{}, errors.New("find taskstats: the kernel does not know it")
	}
	answer, err := askNetlink(socket, binary.NativeEndian.Uint16(family), unix.TASKSTATS_CMD_GET, unix.TASKSTATS_CMD_ATTR_TGID, binary.NativeEndian.AppendUint32(nil, uint32(pid)))
	if err != nil {
		return Delays{}, fmt.Errorf("ask taskstats about process %d: %w", pid, err)
	}
	nested, _ := attribute(answer, unix.TASKSTATS_TYPE_AGGR_TGID)
	b, ok := attribute(nested, unix.TASKSTATS_TYPE_STATS)
	var stats unix.Taskstats
	if !ok || len(b) < int(unsafe.Offsetof(stats.Ac_comm)) {
		return Delays{}, fmt.Errorf("ask taskstats about process %d: the answer has no statistics", pid)
	}
	// Newer kernels send more fields, older ones fewer: the rest stay 0.
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&stats)), unsafe.Sizeof(stats)), b)
	d := Delays{CPU: new(time.Duration(stats.Cpu_delay_total))}
	// Before Linux 5.14 accounting has no switch and is always on.
	if on, err := os.ReadFile("/proc/sys/kernel/task_delayacct"); err != nil || len(on) > 0 && on[0] == '1' {
		d.Block = new(time.Duration(stats.Blkio_delay_total))
		d.Memory = new(time.Duration(stats.Swapin_delay_total + stats.Freepages_delay_total + stats.Compact_delay_total))
	}
	return d, nil
}

// Sizes of the headers of a message and of an attribute (netlink(7)).
const (
	messageHeader   = unix.SizeofNlMsghdr + 4 // with generic netlink's
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
	m = binary.NativeEndian.AppendUint32(m, 0) // recipient: the kernel
	m = append(m, byte(command), 1, 0, 0)      // version 1
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
		return nil, fmt.Errorf("the answer has only %d bytes", n)
	}
	return b[messageHeader:], nil
}

// attribute returns the value of the attribute of this kind in b.
func attribute(b []byte, kind uint16) ([]byte, bool) {
	for len(b) >= attributeHeader {
		length := int(binary.NativeEndian.Uint16(b))
		if length < attributeHeader || length > len(b) {
			return nil, false
		}
		// The top bits flag nesting and byte order.
		if binary.NativeEndian.Uint16(b[2:])&^0xc000 == kind {
			return b[attributeHeader:length], true
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil, false
}

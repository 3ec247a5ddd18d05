package device_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/sllmq/sllmq/collector/device"
)

func TestHostReturnsWhatWasWritten(t *testing.T) {
	d, err := device.Open("host", 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m, err := d.Allocate(1000)
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Repeat([]byte{7, 9}, 50)
	if err := m.Write(900, want); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 100)
	if err := m.Read(900, got); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	if place := m.(device.Addressable).Bytes(); len(place) != 1000 || !bytes.Equal(place[900:], want) {
		t.Error("Bytes has other bytes than were written")
	}
	if d.Used() != 1000 {
		t.Errorf("used %d, want 1000", d.Used())
	}
	if err := m.Free(); err != nil {
		t.Fatal(err)
	}
	if d.Used() != 0 {
		t.Errorf("used %d after Free", d.Used())
	}
}

func TestHostIsBounded(t *testing.T) {
	d, err := device.Open("host", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Allocate(1 << 40); !errors.Is(err, device.ErrTooSmall) {
		t.Errorf("allocating 1 TiB: %v, want ErrTooSmall", err)
	}
	m, err := d.Allocate(10)
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{-1, 1, 11, 1 << 62} {
		if m.Write(offset, make([]byte, 10)) == nil {
			t.Errorf("write of 10 bytes at %d of 10 was accepted", offset)
		}
		if m.Read(offset, make([]byte, 10)) == nil {
			t.Errorf("read of 10 bytes at %d of 10 was accepted", offset)
		}
	}
	if _, err := d.Allocate(1); err == nil {
		t.Error("a second allocation was accepted while the first was in use")
	}
}

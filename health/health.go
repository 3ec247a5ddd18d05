// Package health is how the outcome of a check is told.
package health

// State is what a check came to.
type State string

// The states, from best to worst.
const (
	OK   State = "ok"
	None State = "none" // not there; only some need it
	Warn State = "warn" // works, but not as well as it could, or something should be looked at
	Fail State = "fail" // can't be used
)

// Finding is the outcome of one check.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Saw   string `json:"saw"`
	Do    string `json:"do,omitempty"` // what would make it better; empty: nothing need be done
}

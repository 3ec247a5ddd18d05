package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FromEnvironment returns the options that huggingface_hub would use. It reads
// the same environment variables, including their older names, and the token
// file of its login. See
// https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
func FromEnvironment(getenv func(string) string) (Options, error) {
	o := Options{
		Endpoint: getenv("HF_ENDPOINT"),
		Offline:  truthy(firstOf(getenv, "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
		CacheDir: expand(getenv, firstOf(getenv, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE")),
	}
	home := expand(getenv, getenv("HF_HOME"))
	if home == "" {
		if caches := getenv("XDG_CACHE_HOME"); caches != "" {
			home = filepath.Join(expand(getenv, caches), "huggingface")
		} else if user := getenv("HOME"); user != "" {
			home = filepath.Join(user, ".cache", "huggingface")
		}
	}
	if o.CacheDir == "" {
		if home == "" {
			return Options{}, errors.New("find the Hub's cache: HOME is not set: set HF_HOME")
		}
		o.CacheDir = filepath.Join(home, "hub")
	}
	var err error
	o.Token, err = findToken(getenv, home)
	return o, err
}

// findToken returns the token from the environment or else from the token file.
func findToken(getenv func(string) string, home string) (Token, error) {
	if truthy(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		return Token{}, nil
	}
	if t := NewToken(firstOf(getenv, "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")); !t.IsZero() {
		return t, nil
	}
	path := expand(getenv, getenv("HF_TOKEN_PATH"))
	if path == "" {
		if home == "" {
			return Token{}, nil
		}
		path = filepath.Join(home, "token")
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Token{}, nil
	}
	if err != nil {
		return Token{}, fmt.Errorf("read the Hub's token: %w: make it readable, or set HF_TOKEN", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTokenBytes+1))
	if err != nil {
		return Token{}, fmt.Errorf("read the Hub's token: %w: make it readable, or set HF_TOKEN", err)
	}
	return NewToken(string(b)), nil
}

// firstOf returns the first variable that is set.
func firstOf(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// truthy reports whether huggingface_hub treats v as true.
func truthy(v string) bool {
	switch strings.ToUpper(v) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

// expand expands ~ and variables in a path. Unset variables stay.
func expand(getenv func(string) string, path string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = getenv("HOME") + path[1:]
	}
	return os.Expand(path, func(name string) string {
		if v := getenv(name); v != "" {
			return v
		}
		return "$" + name
	})
}

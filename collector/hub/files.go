package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// File is a file of a model on the Hub.
type File struct {
	Name string
	Size int64 // bytes
	// Blob names the content: the SHA-256 of a large file (SHA256 is true), or
	// git's SHA-1 of its blob. It is the file's ETag and its name in the cache.
	Blob   string
	SHA256 bool
}

// Listing is what a checkpoint needs of a model at a commit.
type Listing struct {
	Repo   Repo
	Commit string
	Files  []File
}

// Bytes is how large the files are together.
func (l Listing) Bytes() int64 {
	var total int64
	for _, f := range l.Files {
		total += f.Size
	}
	return total
}

const (
	maxListing = 32 << 20 // bytes of the API's answer
	maxFiles   = 10_000
	maxFile    = int64(1) << 42
)

// List asks what files a checkpoint needs, which downloads nothing.
func List(ctx context.Context, o Options, repo Repo) (Listing, error) {
	return newClient(o).list(ctx, repo)
}

func (c *client) list(ctx context.Context, repo Repo) (l Listing, err error) {
	if c.o.Offline {
		return Listing{}, fmt.Errorf("%s is %w and HF_HUB_OFFLINE is set: fetch it once without", repo, ErrNotCached)
	}
	err = c.again(ctx, func() (bool, error) {
		r, err := c.get(ctx, repo, "/api/models/"+repo.ID+"/revision/"+escape(repo.Revision)+"?blobs=true", "the list of files", 0)
		if err != nil {
			return false, err
		}
		defer r.Body.Close()
		text, err := io.ReadAll(io.LimitReader(r.Body, maxListing+1))
		if err != nil {
			return false, &transient{err: fmt.Errorf("fetch the list of files of %s: %w", repo, withoutURL(err))}
		}
		l, err = parseListing(repo, text)
		return false, err
	})
	return l, err
}

var (
	commitText = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)
	fileText   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,199}$`)
)

// parseListing reads the API's answer and chooses what a checkpoint needs.
func parseListing(repo Repo, text []byte) (Listing, error) {
	if len(text) > maxListing {
		return Listing{}, fmt.Errorf("%s: the list of its files is longer than %d bytes", repo, maxListing)
	}
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name   string `json:"rfilename"`
			Size   *int64 `json:"size"`
			BlobID string `json:"blobId"`
			LFS    *struct {
				SHA256 string `json:"sha256"`
				Size   int64  `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return Listing{}, fmt.Errorf("%s: the list of its files is no JSON: %w", repo, err)
	}
	if !commitText.MatchString(answer.SHA) {
		return Listing{}, fmt.Errorf("%s: the Hub names no commit", repo)
	}
	if len(answer.Siblings) > maxFiles {
		return Listing{}, fmt.Errorf("%s has %d files", repo, len(answer.Siblings))
	}
	var names []string
	for _, s := range answer.Siblings {
		names = append(names, s.Name)
	}
	want := needed(names)
	l := Listing{Repo: repo, Commit: answer.SHA}
	seen := map[string]bool{}
	for _, s := range answer.Siblings {
		if !slices.Contains(want, s.Name) {
			continue
		}
		f := File{Name: s.Name, Blob: s.BlobID, Size: -1}
		if s.Size != nil {
			f.Size = *s.Size
		}
		if s.LFS != nil {
			f.Blob, f.SHA256, f.Size = s.LFS.SHA256, true, s.LFS.Size
		}
		pattern := commitText
		if f.SHA256 {
			pattern = sha256Text
		}
		if !pattern.MatchString(f.Blob) || f.Size < 0 || f.Size > maxFile || seen[f.Name] {
			return Listing{}, fmt.Errorf("%s: the Hub says nothing sensible of file %s", repo, f.Name)
		}
		seen[f.Name] = true
		l.Files = append(l.Files, f)
	}
	if !slices.ContainsFunc(names, isWeights) {
		return Listing{}, fmt.Errorf("%s has no .safetensors and no pytorch_model.bin file at its top: it is no model for transformers", repo)
	}
	return l, nil
}

func isWeights(name string) bool {
	return fileText.MatchString(name) && (strings.HasSuffix(name, ".safetensors") || isPickled(name))
}

func isPickled(name string) bool {
	return strings.HasPrefix(name, "pytorch_model") && strings.HasSuffix(name, ".bin")
}

// needed chooses the files of a checkpoint: safetensors where there are any,
// else PyTorch's, and what goes along. Files in folders, which hold other
// forms of the same model, are left out.
func needed(names []string) []string {
	safe := slices.ContainsFunc(names, func(n string) bool { return fileText.MatchString(n) && strings.HasSuffix(n, ".safetensors") })
	one := slices.Contains(names, "model.safetensors")
	onePickled := slices.Contains(names, pickled)
	sharded := slices.Contains(names, "model.safetensors.index.json")
	var want []string
	for _, n := range names {
		if !fileText.MatchString(n) {
			continue
		}
		shard := strings.HasPrefix(n, "model-") && strings.HasSuffix(n, ".safetensors")
		switch {
		case strings.HasSuffix(n, ".safetensors"):
			if one && n == "model.safetensors" || !one && sharded && shard || !one && !sharded {
				want = append(want, n)
			}
		case n == "model.safetensors.index.json":
			if !one {
				want = append(want, n)
			}
		case isPickled(n):
			if !safe && (!onePickled || n == pickled) {
				want = append(want, n)
			}
		case n == pickled+".index.json":
			if !safe && !onePickled {
				want = append(want, n)
			}
		case isAlong(n):
			want = append(want, n)
		}
	}
	return want
}

const pickled = "pytorch_model.bin"

// isAlong knows the configuration and the tokenizers.
func isAlong(name string) bool {
	switch name {
	case "config.json", "generation_config.json", "special_tokens_map.json", "added_tokens.json",
		"tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt",
		"spiece.model", "chat_template.jinja", "chat_template.json":
		return true
	}
	return false
}

package hub

import "github.com/sllmq/sllmq/internal/size"

// MissingBytes returns how many bytes a Download would transfer now: those
// neither in the cache nor in its incomplete files.
func (c *Client) MissingBytes(m Model) int64 {
	var total int64
	for _, f := range c.missing(m) {
		total += f.Size - c.begun(m, f)
	}
	return total
}

// missing returns the files that are not in the cache, files with equal content
// once.
func (c *Client) missing(m Model) []File {
	var missing []File
	seen := map[string]bool{}
	for _, f := range m.Files {
		if _, ok := c.cached(m, f); ok || seen[f.Digest] {
			continue
		}
		seen[f.Digest] = true
		missing = append(missing, f)
	}
	return missing
}

// CheckSpace returns an ErrDiskFull if the cache's disk has no room for the
// missing bytes of the model.
func (c *Client) CheckSpace(m Model) error {
	need := c.MissingBytes(m)
	if need == 0 {
		return nil
	}
	have, err := c.available(c.cacheDir)
	if err != nil {
		return err
	}
	if have < need {
		return fail(ErrDiskFull, "%s needs %s in %s, which has %s free: free %s, or set HF_HUB_CACHE to a larger disk", m.Repo, size.Decimal(need), c.cacheDir, size.Decimal(have), size.Decimal(need-have))
	}
	return nil
}

package hub

// MissingBytes is how much a Download would fetch now: what neither lies in
// the cache nor was begun there.
func (c *Client) MissingBytes(m Model) int64 {
	var total int64
	for _, f := range c.missing(m) {
		total += f.Size - c.begun(m, f)
	}
	return total
}

// missing lists the files that are not in the cache, those with the same
// content once.
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

// CheckSpace is ErrDiskFull if the cache's disk has no room for what is
// missing of the model.
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
		return fail(ErrDiskFull, "%s needs %d bytes more in %s, and %d are free: free %d bytes, or set HF_HUB_CACHE to a larger disk", m.Repo, need, c.cacheDir, have, need-have)
	}
	return nil
}

package check

import (
	"slices"
	"strings"
	"testing"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are the objects that a kustomization generates.
type manifests struct {
	job     batch.Job
	config  core.ConfigMap
	results core.PersistentVolumeClaim
}

// build runs kustomize on dir and decodes the objects strictly: an unknown field, or a
// value of the wrong type, fails the test.
func build(t *testing.T, dir string) manifests {
	t.Helper()
	generated, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var m manifests
	for _, r := range generated.Resources() {
		var into any
		switch kind := r.GetKind(); kind {
		case "Job":
			into = &m.job
		case "ConfigMap":
			into = &m.config
		case "PersistentVolumeClaim":
			into = &m.results
		default:
			t.Fatalf("%s: unexpected kind %s", dir, kind)
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s: %s: %v", dir, r.GetKind(), err)
		}
	}
	return m
}

func TestManifests(t *testing.T) {
	for _, dir := range []string{"../k8s/base", "../k8s/nodes"} {
		m := build(t, dir)
		pod := m.job.Spec.Template.Spec
		if m.job.APIVersion != "batch/v1" || m.job.Name == "" || len(pod.Containers) != 1 {
			t.Fatalf("%s: job %+v", dir, m.job)
		}
		// The types allow other policies, but the API server refuses them.
		if pod.RestartPolicy != core.RestartPolicyNever && pod.RestartPolicy != core.RestartPolicyOnFailure {
			t.Errorf("%s: restart policy %q is not allowed in a job", dir, pod.RestartPolicy)
		}
		c := pod.Containers[0]
		if c.Image == "" || !slices.Contains(c.Args, "collect") {
			t.Errorf("%s: image %q, arguments %v", dir, c.Image, c.Args)
		}
		if len(c.EnvFrom) != 1 || c.EnvFrom[0].ConfigMapRef == nil || c.EnvFrom[0].ConfigMapRef.Name != m.config.Name {
			t.Errorf("%s: the container does not read the config map %s", dir, m.config.Name)
		}
		volumes := map[string]core.Volume{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = v
		}
		mounted := map[string]core.Volume{}
		for _, at := range c.VolumeMounts {
			if _, ok := volumes[at.Name]; !ok {
				t.Errorf("%s: mounted volume %s does not exist", dir, at.Name)
			}
			mounted[at.MountPath] = volumes[at.Name]
		}
		if v := mounted[m.config.Data["STORAGE_PATH"]]; v.HostPath == nil {
			t.Errorf("%s: STORAGE_PATH is not on the node's storage", dir)
		}
		if v := mounted["/results"]; v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ClaimName != m.results.Name {
			t.Errorf("%s: /results is not the volume of claim %s", dir, m.results.Name)
		}
		if !strings.HasPrefix(m.config.Data["SLLMQ_WAREHOUSE"], "/results/") {
			t.Errorf("%s: the warehouse %s is not under /results", dir, m.config.Data["SLLMQ_WAREHOUSE"])
		}
		gpus := c.Resources.Limits["nvidia.com/gpu"]
		if gpus.Value() != 1 || !gpus.Equal(c.Resources.Requests["nvidia.com/gpu"]) {
			t.Errorf("%s: limit of %s GPUs, want 1 requested and 1 as limit", dir, gpus.String())
		}
		for _, e := range c.Env {
			if e.Name == "HF_TOKEN" && (e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil) {
				t.Errorf("%s: HF_TOKEN does not come from a secret", dir)
			}
		}
		if !slices.ContainsFunc(c.Env, func(e core.EnvVar) bool { return e.Name == "HF_TOKEN" }) {
			t.Errorf("%s: HF_TOKEN is not set", dir)
		}
	}
}

// TestOnePodPerNode checks that k8s/nodes runs one index on each node, no two on the same
// node, and collects into one data set.
func TestOnePodPerNode(t *testing.T) {
	m := build(t, "../k8s/nodes")
	s := m.job.Spec
	if s.CompletionMode == nil || *s.CompletionMode != batch.IndexedCompletion || *s.Completions != *s.Parallelism {
		t.Errorf("completion mode %v with %d of %d pods at once, want Indexed with all", s.CompletionMode, *s.Parallelism, *s.Completions)
	}
	// The API server requires these when backoffLimitPerIndex is set.
	if s.BackoffLimitPerIndex == nil || s.Template.Spec.RestartPolicy != core.RestartPolicyNever || *s.MaxFailedIndexes > *s.Completions {
		t.Errorf("a failed index would end the others: %+v", s)
	}
	apart := s.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(apart) != 1 || apart[0].TopologyKey != "kubernetes.io/hostname" || apart[0].LabelSelector.MatchLabels["batch.kubernetes.io/job-name"] != m.job.Name {
		t.Errorf("two pods of %s could share a node: %+v", m.job.Name, apart)
	}
	if len(s.Template.Spec.NodeSelector) == 0 {
		t.Error("no node selector: the pool is not named")
	}
	if !slices.Contains(m.results.Spec.AccessModes, core.ReadWriteMany) || slices.Contains(m.results.Spec.AccessModes, core.ReadWriteOnce) {
		t.Errorf("several nodes cannot write to a volume with access modes %v", m.results.Spec.AccessModes)
	}
	if !strings.HasSuffix(m.config.Data["SLLMQ_WAREHOUSE"], "/") {
		t.Errorf("the warehouse %s is not a folder (no trailing slash)", m.config.Data["SLLMQ_WAREHOUSE"])
	}
}

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

// manifests are what a kustomization makes, by kind.
type manifests struct {
	job     batch.Job
	config  core.ConfigMap
	results core.PersistentVolumeClaim
}

// build runs kustomize and decodes what it makes: a field that Kubernetes does
// not know, or of another type, is an error.
func build(t *testing.T, dir string) manifests {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var m manifests
	for _, r := range made.Resources() {
		var into any
		switch kind := r.GetKind(); kind {
		case "Job":
			into = &m.job
		case "ConfigMap":
			into = &m.config
		case "PersistentVolumeClaim":
			into = &m.results
		default:
			t.Fatalf("%s: a %s is not expected", dir, kind)
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
		// What the API server refuses although the types allow it.
		if pod.RestartPolicy != core.RestartPolicyNever && pod.RestartPolicy != core.RestartPolicyOnFailure {
			t.Errorf("%s: a job's pods can't have the restart policy %q", dir, pod.RestartPolicy)
		}
		c := pod.Containers[0]
		if c.Image == "" || !slices.Contains(c.Args, "collect") {
			t.Errorf("%s: image %q, arguments %v", dir, c.Image, c.Args)
		}
		if len(c.EnvFrom) != 1 || c.EnvFrom[0].ConfigMapRef == nil || c.EnvFrom[0].ConfigMapRef.Name != m.config.Name {
			t.Errorf("%s: the configuration is not that of the config map %s", dir, m.config.Name)
		}
		volumes := map[string]core.Volume{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = v
		}
		mounted := map[string]core.Volume{}
		for _, at := range c.VolumeMounts {
			if _, ok := volumes[at.Name]; !ok {
				t.Errorf("%s: there is no volume %s", dir, at.Name)
			}
			mounted[at.MountPath] = volumes[at.Name]
		}
		if v := mounted[m.config.Data["STORAGE_PATH"]]; v.HostPath == nil {
			t.Errorf("%s: the replicas are not on the node's storage", dir)
		}
		if v := mounted["/results"]; v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ClaimName != m.results.Name {
			t.Errorf("%s: the results are not on the claim %s", dir, m.results.Name)
		}
		if !strings.HasPrefix(m.config.Data["SLLMQ_WAREHOUSE"], "/results/") {
			t.Errorf("%s: the warehouse is in %s", dir, m.config.Data["SLLMQ_WAREHOUSE"])
		}
		gpus := c.Resources.Limits["nvidia.com/gpu"]
		if gpus.Value() != 1 || !gpus.Equal(c.Resources.Requests["nvidia.com/gpu"]) {
			t.Errorf("%s: %s GPUs", dir, gpus.String())
		}
		for _, e := range c.Env {
			if e.Name == "HF_TOKEN" && (e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil) {
				t.Errorf("%s: the token does not come from a secret", dir)
			}
		}
		if !slices.ContainsFunc(c.Env, func(e core.EnvVar) bool { return e.Name == "HF_TOKEN" }) {
			t.Errorf("%s: there is no token", dir)
		}
	}
}

// TestEveryNodeOnce: an index a node, no two of them on one, into one data set.
func TestEveryNodeOnce(t *testing.T) {
	m := build(t, "../k8s/nodes")
	s := m.job.Spec
	if s.CompletionMode == nil || *s.CompletionMode != batch.IndexedCompletion || *s.Completions != *s.Parallelism {
		t.Errorf("mode %v, %d of %d at once", s.CompletionMode, *s.Parallelism, *s.Completions)
	}
	// The API server wants these of a backoff limit for each index.
	if s.BackoffLimitPerIndex == nil || s.Template.Spec.RestartPolicy != core.RestartPolicyNever || *s.MaxFailedIndexes > *s.Completions {
		t.Errorf("an index that fails ends the others: %+v", s)
	}
	apart := s.Template.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(apart) != 1 || apart[0].TopologyKey != "kubernetes.io/hostname" || apart[0].LabelSelector.MatchLabels["batch.kubernetes.io/job-name"] != m.job.Name {
		t.Errorf("pods of %s may share a node: %+v", m.job.Name, apart)
	}
	if len(s.Template.Spec.NodeSelector) == 0 {
		t.Error("the pool is not named")
	}
	if !slices.Contains(m.results.Spec.AccessModes, core.ReadWriteMany) || slices.Contains(m.results.Spec.AccessModes, core.ReadWriteOnce) {
		t.Errorf("several nodes can't write to %v", m.results.Spec.AccessModes)
	}
	if !strings.HasSuffix(m.config.Data["SLLMQ_WAREHOUSE"], "/") {
		t.Errorf("%s is no folder of Parquet", m.config.Data["SLLMQ_WAREHOUSE"])
	}
}

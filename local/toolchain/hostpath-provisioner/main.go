// Command hostpath-provisioner makes the volumes that claims ask for as folders of the one node, and removes each with its
// claim. Volumes are of the kind `local`, to which the kubelet gives a pod's fsGroup. It limits no volume's size.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v10/controller"
)

// folders is where the volumes are, on the node and in this process alike, and node the node's name.
type provisioner struct{ folders, node string }

func (p provisioner) Provision(
	_ context.Context, options controller.ProvisionOptions,
) (*core.PersistentVolume, controller.ProvisioningState, error) {
	folder := filepath.Join(p.folders, options.PVName)
	// A try before this one may have made it.
	if err := os.MkdirAll(folder, 0o770); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	here := core.NodeSelectorRequirement{
		Key: core.LabelHostname, Operator: core.NodeSelectorOpIn, Values: []string{p.node},
	}
	return &core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: options.PVName},
		Spec: core.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   options.PVC.Spec.AccessModes,
			Capacity:                      options.PVC.Spec.Resources.Requests,
			PersistentVolumeSource:        core.PersistentVolumeSource{Local: &core.LocalVolumeSource{Path: folder}},
			NodeAffinity: &core.VolumeNodeAffinity{Required: &core.NodeSelector{
				NodeSelectorTerms: []core.NodeSelectorTerm{{MatchExpressions: []core.NodeSelectorRequirement{here}}},
			}},
		},
	}, controller.ProvisioningFinished, nil
}

func (p provisioner) Delete(_ context.Context, volume *core.PersistentVolume) error {
	// Whoever may write volumes must not have another folder removed.
	if folder := filepath.Join(p.folders, volume.Name); volume.Spec.Local == nil || volume.Spec.Local.Path != folder {
		return fmt.Errorf("volume %s is not the folder %s that was made for it", volume.Name, folder)
	}
	return os.RemoveAll(filepath.Join(p.folders, volume.Name))
}

func run() error {
	if len(os.Args) != 4 {
		return fmt.Errorf("usage: %s NAME FOLDER NODE", os.Args[0])
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	p := provisioner{folders: os.Args[2], node: os.Args[3]}
	controller.NewProvisionController(
		klog.FromContext(ctx), client, os.Args[1], p, controller.LeaderElection(false), controller.MetricsPort(8080),
	).Run(ctx)
	return nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

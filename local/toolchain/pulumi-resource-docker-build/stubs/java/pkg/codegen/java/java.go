// Package java holds the one type of pulumi-java that the docker-build provider names in its schema.
package java

// PackageInfo is the schema's section on the Java SDK; nothing here generates one.
type PackageInfo struct {
	BuildFiles                      string            `json:"buildFiles,omitempty"`
	GradleNexusPublishPluginVersion string            `json:"gradleNexusPublishPluginVersion,omitempty"`
	Dependencies                    map[string]string `json:"dependencies,omitempty"`
}

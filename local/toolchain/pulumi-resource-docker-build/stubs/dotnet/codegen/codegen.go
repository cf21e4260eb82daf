// Package codegen holds the one type of pulumi-dotnet that the docker-build provider names in its schema.
package codegen

// CSharpPackageInfo is the schema's section on the .NET SDK; nothing here generates one.
type CSharpPackageInfo struct {
	PackageReferences    map[string]string `json:"packageReferences,omitempty"`
	RespectSchemaVersion bool              `json:"respectSchemaVersion,omitempty"`
}

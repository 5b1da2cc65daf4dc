// SPDX-License-Identifier: Apache-2.0

// Command vault is an unmodified HashiCorp Vault (minimal build) as a Go module dependency, for tests. Called as
// `vault postgresql-database-plugin` it is Vault's own PostgreSQL plugin, which the minimal build leaves out.
package main

import (
	"os"

	"github.com/hashicorp/vault/command"
	"github.com/hashicorp/vault/plugins/database/postgresql"
	"github.com/hashicorp/vault/sdk/database/dbplugin/v5"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "postgresql-database-plugin" {
		dbplugin.ServeMultiplex(postgresql.New)
		return
	}
	os.Exit(command.Run(os.Args[1:]))
}

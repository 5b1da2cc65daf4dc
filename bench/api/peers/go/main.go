// SPDX-License-Identifier: Apache-2.0

// The same two answers as fhirline's, the way a Go service would give them: net/http and pgx, rows scanned into a struct, encoding/json.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

type Patient struct {
	ID                   string          `db:"id" json:"id"`
	VersionID            *string         `db:"version_id" json:"version_id"`
	LastUpdated          *time.Time      `db:"last_updated" json:"last_updated"`
	Active               *bool           `db:"active" json:"active"`
	FamilyName           *string         `db:"family_name" json:"family_name"`
	GivenNames           []string        `db:"given_names" json:"given_names"`
	FirstName            *string         `db:"first_name" json:"first_name"`
	Prefix               *string         `db:"prefix" json:"prefix"`
	Suffix               *string         `db:"suffix" json:"suffix"`
	FullName             *string         `db:"full_name" json:"full_name"`
	Gender               *string         `db:"gender" json:"gender"`
	BirthDate            *time.Time      `db:"birth_date" json:"birth_date"`
	BirthDatePrecision   *string         `db:"birth_date_precision" json:"birth_date_precision"`
	Deceased             *bool           `db:"deceased" json:"deceased"`
	DeceasedAt           *time.Time      `db:"deceased_at" json:"deceased_at"`
	DeceasedPrecision    *string         `db:"deceased_precision" json:"deceased_precision"`
	AddressLine          *string         `db:"address_line" json:"address_line"`
	City                 *string         `db:"city" json:"city"`
	District             *string         `db:"district" json:"district"`
	State                *string         `db:"state" json:"state"`
	PostalCode           *string         `db:"postal_code" json:"postal_code"`
	Country              *string         `db:"country" json:"country"`
	PostalCodes          []string        `db:"postal_codes" json:"postal_codes"`
	Phone                *string         `db:"phone" json:"phone"`
	Email                *string         `db:"email" json:"email"`
	MaritalStatus        *string         `db:"marital_status" json:"marital_status"`
	Language             *string         `db:"language" json:"language"`
	Race                 *string         `db:"race" json:"race"`
	Ethnicity            *string         `db:"ethnicity" json:"ethnicity"`
	BirthSex             *string         `db:"birth_sex" json:"birth_sex"`
	MRN                  *string         `db:"mrn" json:"mrn"`
	Identifiers          json.RawMessage `db:"identifiers" json:"identifiers"`
	ManagingOrganization *string         `db:"managing_organization" json:"managing_organization"`
	GeneralPractitioner  *string         `db:"general_practitioner" json:"general_practitioner"`
	MovedAt              *time.Time      `db:"moved_at" json:"moved_at"`
}

const columns = "id, version_id, last_updated, active, family_name, given_names, first_name, prefix, suffix, full_name, gender, " +
	"birth_date, birth_date_precision, deceased, deceased_at, deceased_precision, address_line, city, district, state, postal_code, " +
	"country, postal_codes, phone, email, marital_status, language, race, ethnicity, birth_sex, mrn, identifiers, " +
	"managing_organization, general_practitioner, moved_at"

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body)
}

func main() {
	pool, err := pgxpool.New(context.Background(), os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /patients/{id}", func(w http.ResponseWriter, r *http.Request) {
		rows, _ := pool.Query(r.Context(), "SELECT "+columns+" FROM patient WHERE id = $1 AND deleted_at IS NULL", r.PathValue("id"))
		p, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[Patient])
		if errors.Is(err, pgx.ErrNoRows) {
			answer(w, 404, map[string]string{"detail": "not found"})
		} else if err != nil {
			answer(w, 500, map[string]string{"detail": "database"})
		} else {
			answer(w, 200, p)
		}
	})
	http.HandleFunc("GET /patients", func(w http.ResponseWriter, r *http.Request) {
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil || limit < 1 || limit > 1000 {
			limit = 100
		}
		rows, _ := pool.Query(r.Context(), "SELECT "+columns+" FROM patient WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2",
			r.URL.Query().Get("after"), limit)
		list, err := pgx.CollectRows(rows, pgx.RowToStructByName[Patient])
		if err != nil {
			answer(w, 500, map[string]string{"detail": "database"})
			return
		}
		answer(w, 200, map[string]any{"items": list})
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

# SPDX-License-Identifier: Apache-2.0
"""The same two answers as fhirline's, the way a FastAPI and SQLModel service with synchronous sessions would give them."""
import os
from datetime import date, datetime
from typing import Optional

from fastapi import Depends, FastAPI, HTTPException, Query
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlmodel import Field, Session, SQLModel, create_engine, select

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"), pool_size=20, max_overflow=20)
app = FastAPI()


class PatientBase(SQLModel):
    id: str = Field(primary_key=True)
    version_id: Optional[str] = None
    last_updated: Optional[datetime] = None
    active: Optional[bool] = None
    family_name: Optional[str] = None
    given_names: Optional[list[str]] = Field(default=None, sa_type=ARRAY(TEXT))
    first_name: Optional[str] = None
    prefix: Optional[str] = None
    suffix: Optional[str] = None
    full_name: Optional[str] = None
    gender: Optional[str] = None
    birth_date: Optional[date] = None
    birth_date_precision: Optional[str] = None
    deceased: Optional[bool] = None
    deceased_at: Optional[datetime] = None
    deceased_precision: Optional[str] = None
    address_line: Optional[str] = None
    city: Optional[str] = None
    district: Optional[str] = None
    state: Optional[str] = None
    postal_code: Optional[str] = None
    country: Optional[str] = None
    postal_codes: Optional[list[str]] = Field(default=None, sa_type=ARRAY(TEXT))
    phone: Optional[str] = None
    email: Optional[str] = None
    marital_status: Optional[str] = None
    language: Optional[str] = None
    race: Optional[str] = None
    ethnicity: Optional[str] = None
    birth_sex: Optional[str] = None
    mrn: Optional[str] = None
    identifiers: Optional[list[dict]] = Field(default=None, sa_type=JSONB)
    managing_organization: Optional[str] = None
    general_practitioner: Optional[str] = None
    moved_at: Optional[datetime] = None


class Patient(PatientBase, table=True):
    deleted_at: Optional[datetime] = None


class PatientList(SQLModel):
    items: list[PatientBase]


def session():
    with Session(engine) as s:
        yield s


@app.get("/patients/{id}", response_model=PatientBase)
def get_patient(id: str, s: Session = Depends(session)):
    patient = s.get(Patient, id)
    if patient is None or patient.deleted_at:
        raise HTTPException(404, "not found")
    return patient


@app.get("/patients", response_model=PatientList)
def list_patients(after: str = "", limit: int = Query(100, ge=1, le=1000), s: Session = Depends(session)):
    found = s.exec(select(Patient).where(Patient.id > after, Patient.deleted_at.is_(None)).order_by(Patient.id).limit(limit)).all()
    return PatientList(items=found)

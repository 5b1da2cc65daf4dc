/* SPDX-License-Identifier: Apache-2.0
 *
 * The observations that occur, how often, and the constant part of their JSON. Weights add up to
 * 1,000 (a test adds them).
 */
#include <stdbool.h>

#include "sandbox/generate.h"

#define CATEGORY(code, display)                                                                    \
	"{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/observation-category\"," \
	"\"code\":\"" code "\",\"display\":\"" display "\"}]}"
#define VITAL CATEGORY("vital-signs", "Vital signs")
#define LAB CATEGORY("laboratory", "Laboratory")
#define SOCIAL CATEGORY("social-history", "Social history")
#define SURVEY CATEGORY("survey", "Survey")
#define EXAM CATEGORY("exam", "Exam")
#define LOINC(code, display)                                                                       \
	"{\"system\":\"http://loinc.org\",\"code\":\"" code "\",\"display\":\"" display "\"}"
#define SNOMED(code, display)                                                                      \
	"{\"system\":\"http://snomed.info/sct\",\"code\":\"" code "\",\"display\":\"" display "\"" \
	"}"
#define HEAD(categories, codings, text)                                                            \
	STR("\",\"category\":[" categories "],\"code\":{\"coding\":[" codings "],\"text\":\"" text \
	    "\"},\"subject\":{\"reference\":\"")
#define UNIT(unit, code)                                                                           \
	STR(",\"unit\":\"" unit "\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"" code     \
	    "\"}")

#define V(weight, code, text, unit, low, high, places)                                             \
	{                                                                                          \
		weight, VALUE_QUANTITY, HEAD(VITAL, LOINC(code, text), text), UNIT(unit, unit),    \
		    low, high, places, true                                                        \
	}
#define L(weight, code, text, unit, low, high, places)                                             \
	{                                                                                          \
		weight, VALUE_QUANTITY, HEAD(LAB, LOINC(code, text), text), UNIT(unit, unit), low, \
		    high, places, false                                                            \
	}
#define K(weight, kind, category, code, text)                                                      \
	{                                                                                          \
		weight, kind, HEAD(category, LOINC(code, text), text), {NULL, 0}, 0, 0, 0, false   \
	}

const struct observation_code observation_codes[] = {
    V(52, "29463-7", "Body Weight", "kg", 25, 1450, 1),
    V(52, "8302-2", "Body Height", "cm", 485, 2010, 1),
    V(58, "8867-4", "Heart rate", "/min", 48, 118, 0),
    V(59, "9279-1", "Respiratory rate", "/min", 10, 24, 0),
    V(34, "39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", 1420, 4389, 2),
    {26, VALUE_QUANTITY,
     HEAD(VITAL, LOINC("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported"),
          "Pain severity - 0-10 verbal numeric rating [Score] - Reported"),
     UNIT("{score}", "{score}"), 0, 10, 0, true},
    V(12, "8310-5", "Body temperature", "Cel", 36100, 40399, 3),
    V(6, "2708-6", "Oxygen saturation in Arterial blood", "%", 7500, 10000, 2),
    L(34, "2339-0", "Glucose [Mass/volume] in Blood", "mg/dL", 6212, 18999, 2),
    L(34, "6299-2", "Urea nitrogen [Mass/volume] in Blood", "mg/dL", 700, 2999, 2),
    L(34, "38483-4", "Creatinine [Mass/volume] in Blood", "mg/dL", 50, 399, 2),
    L(30, "49765-1", "Calcium [Mass/volume] in Blood", "mg/dL", 850, 1020, 2),
    L(30, "2947-0", "Sodium [Moles/volume] in Blood", "mmol/L", 13600, 14400, 2),
    L(30, "6298-4", "Potassium [Moles/volume] in Blood", "mmol/L", 370, 520, 2),
    L(28, "2069-3", "Chloride [Moles/volume] in Blood", "mmol/L", 10100, 11100, 2),
    L(28, "20565-8", "Carbon dioxide, total [Moles/volume] in Blood", "mmol/L", 2000, 2900, 2),
    L(30, "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 320, 999, 2),
    L(24, "6690-2", "Leukocytes [#/volume] in Blood by Automated count", "10*3/uL", 3500, 11000, 3),
    L(20, "789-8", "Erythrocytes [#/volume] in Blood by Automated count", "10*6/uL", 40000, 60000,
      4),
    L(20, "718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 12000000, 17500000, 6),
    L(20, "4544-3", "Hematocrit [Volume Fraction] of Blood by Automated count", "%", 3500000000,
      5000000000, 8),
    L(20, "777-3", "Platelets [#/volume] in Blood by Automated count", "10*3/uL", 149612, 449999,
      3),
    L(24, "2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", 15000, 24999, 2),
    L(24, "2571-8", "Triglycerides", "mg/dL", 10000, 29999, 2),
    L(18, "33914-3",
      "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum or Plasma by "
      "Creatinine-based formula (MDRD)",
      "mL/min/{1.73_m2}", 613241, 12400000, 5),
    L(10, "1925-7", "Base excess in Arterial blood by calculation", "mmol/L", -12500000, 9999999,
      7),
    L(6, "14959-1", "Microalbumin/Creatinine [Mass Ratio] in Urine", "mg/g", 112, 29999, 2),
    /* two codings, two categories: rare in Synthea, common elsewhere */
    {3, VALUE_QUANTITY,
     HEAD(LAB,
          LOINC("2345-7", "Glucose [Mass/volume] in Serum or Plasma") "," SNOMED(
              "22569008", "Glucose measurement, serum"),
          "Glucose, Sérum"),
     UNIT("mg/dL", "mg/dL"), 600, 1800, 1, false},
    {3, VALUE_QUANTITY,
     HEAD(VITAL "," EXAM,
          LOINC("33452-4", "Peak flow") ",{\"system\":\"urn:oid:2.16.840.1.113883.6.96\","
                                        "\"code\":\"29893006\"}",
          "Peak expiratory flow – morning"),
     UNIT("L/min", "L/min"), 180, 720, 0, true},
    /* no code for the unit, and no unit at all */
    {1,
     VALUE_QUANTITY,
     HEAD(LAB, LOINC("5792-7", "Glucose [Mass/volume] in Urine"), "Glucose"),
     {",\"unit\":\"{nominal}\"}", 20},
     0,
     4,
     0,
     false},
    {1,
     VALUE_QUANTITY,
     HEAD(SURVEY, "{\"system\":\"http://example.org/local\",\"code\":\"walk\"}",
          "Steps \\\"per day\\\" 🚶"),
     {"}", 1},
     0,
     25000,
     0,
     false},
    K(74, VALUE_CODEABLE, SOCIAL, "72166-2", "Tobacco smoking status"),
    K(30, VALUE_CODEABLE, LAB, "5767-9", "Appearance of Urine"),
    K(30, VALUE_CODEABLE, LAB, "5778-6", "Color of Urine"),
    K(30, VALUE_CODEABLE, SURVEY, "76504-0",
      "Total score [HARK] - do you feel unsafe at home, at work or in school"),
    K(3, VALUE_CODEABLE, EXAM, "32465-7", "Physical findings of Prostate"),
    {36,
     VALUE_BLOOD_PRESSURE,
     HEAD(VITAL, LOINC("85354-9", "Blood pressure panel with all children optional"),
          "Blood pressure panel with all children optional"),
     {NULL, 0},
     0,
     0,
     0,
     true},
    K(12, VALUE_SURVEY, SURVEY, "93025-5",
      "Protocol for Responding to and Assessing Patients' Assets, Risks, and Experiences "
      "[PRAPARE]"),
    K(3, VALUE_STRING, LAB, "11502-2", "Laboratory report"),
    K(2, VALUE_ABSENT, LAB, "1742-6", "Alanine aminotransferase [Enzymatic activity/volume]"),
    K(1, VALUE_INTEGER, SURVEY, "11977-6", "[#] Parity"),
    K(1, VALUE_BOOLEAN, EXAM, "86255-7", "Primary caregiver present"),
    K(1, VALUE_RATIO, LAB, "5193-8", "Hepatitis B virus surface Ab [Titer] in Serum"),
    K(1, VALUE_RANGE, SURVEY, "94945-3", "Hours of sleep, from and to"),
    K(1, VALUE_SAMPLED, EXAM, "131328", "MDC ECG electric potential lead I"),
    K(1, VALUE_TIME, SURVEY, "65968-0", "Time of last meal"),
    K(1, VALUE_DATETIME, SURVEY, "8665-2", "Last menstrual period start date"),
    K(1, VALUE_PERIOD, SURVEY, "92656-8", "Pregnancy, first and last day"),
    K(1, VALUE_NONE, SURVEY, "69730-0", "Instructions"),
};
const unsigned observation_code_count = sizeof observation_codes / sizeof *observation_codes;

#define ANSWER(code, display)                                                                      \
	STR("{\"coding\":[" SNOMED(code, display) "],\"text\":\"" display "\"}")

const struct str observation_answers[OBSERVATION_ANSWERS] = {
    ANSWER("266919005", "Never smoked tobacco (finding)"),
    ANSWER("8517006", "Ex-smoker (finding)"),
    ANSWER("167217005", "Urine protein test = +"),
    ANSWER("7766007", "Cloudy urine (finding)"),
    ANSWER("371244009", "Yellow color (qualifier value)"),
    ANSWER("373067005", "No (qualifier value)"),
    STR("{\"coding\":[" SNOMED("373066001", "Yes (qualifier value)") "," LOINC(
        "LA33-6", "Yes") "],\"text\":\"Yes\"}"),
    STR("{\"text\":\"Non précisé\"}"),
};

#define QUESTION(code, text)                                                                       \
	STR("{\"code\":{\"coding\":[" LOINC(code, text) "],\"text\":\"" text "\"},")

const struct str observation_questions[OBSERVATION_QUESTIONS] = {
    QUESTION("56051-6", "Do you consider yourself Hispanic/Latino?"),
    QUESTION("32624-9", "Race"),
    QUESTION("93035-4",
             "At any point in the past 2 years, has season or migrant farm work been your or "
             "your family's main source of income?"),
    QUESTION("93034-7", "Have you been discharged from the armed forces of the United States?"),
    QUESTION("54899-0", "Preferred language"),
    QUESTION("63512-8", "How many people are living or staying at this address?"),
    QUESTION("71802-3", "Housing status"),
    QUESTION("93033-9", "Are you worried about losing your housing?"),
    QUESTION("82589-3", "Highest level of education"),
    QUESTION("67875-5", "Employment status - current"),
    QUESTION("76437-3", "Primary insurance"),
    QUESTION("63586-2",
             "What was your best estimate of the total income of all family members from all "
             "sources, before taxes, in last year?"),
    QUESTION("93031-3",
             "Have you or any family members you live with been unable to get any of the "
             "following when it was really needed in past 1 year?"),
    QUESTION("93030-5",
             "Has lack of transportation kept you from medical appointments, meetings, work, "
             "or from getting things needed for daily living?"),
    QUESTION("93029-7",
             "How often do you see or talk to people that you care about and feel close to?"),
    QUESTION("93038-8", "Stress level"),
    QUESTION("93028-9",
             "Have you spent more than 2 nights in a row in a jail, prison, detention center, "
             "or juvenile correctional facility in past 1 year?"),
    QUESTION("93027-1", "Are you a refugee?"),
    QUESTION("93026-3", "Do you feel physically and emotionally safe where you currently live?"),
    QUESTION("76501-6",
             "Within the last year, have you been afraid of your partner or ex-partner?"),
    QUESTION("93159-2",
             "How hard is it for you to pay for the very basics like food, housing, medical "
             "care, and heating?"),
};

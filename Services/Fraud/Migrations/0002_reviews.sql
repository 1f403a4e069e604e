-- What people decided about attempts that were sent to review. Assessments never change: it stands beside them.
CREATE TABLE assessment_reviews (
    assessment_id text PRIMARY KEY REFERENCES assessments,
    outcome text NOT NULL CHECK (outcome IN ('approved', 'declined')),
    reviewed_at timestamptz NOT NULL
);

//! All SQL of Hufu, on SQLite and PostgreSQL: units of work with group commit, migrations, one module an aggregate.

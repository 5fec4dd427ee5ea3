//! The two databases must not drift apart: every statement is valid on its own, and both have the same tables.

use std::collections::BTreeMap;
use std::path::Path;

use countersign::adapters::storage::postgres::{Committers, PostgresStore};
use countersign::adapters::storage::sqlite::SqliteStore;
use countersign::adapters::timing::SystemClock;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row, SqlSafeStr, SqliteConnection};
use std::sync::Arc;

use super::make;

/// Column, type and whether it may be absent, by table and in order.
type Tables = BTreeMap<String, Vec<(String, String, bool)>>;

#[tokio::test]
async fn every_statement_prepares_on_sqlite() {
    let (_store, directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    let mut connection = open(&directory.path().join("record.db")).await;
    for (name, sql) in SqliteStore::statements() {
        let prepared = connection.prepare(sql.into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {:?}\n{sql}", prepared.err());
    }
}

#[tokio::test]
async fn every_statement_prepares_on_postgres() {
    let server = make::server();
    let _store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let mut connection = PgConnection::connect(&server.url("postgres")).await.unwrap();
    for (name, sql) in PostgresStore::statements() {
        let prepared = connection.prepare(sql.into_sql_str()).await;
        assert!(prepared.is_ok(), "{name}: {:?}\n{sql}", prepared.err());
    }
}

#[test]
fn no_statement_has_two_names() {
    for list in [SqliteStore::statements(), PostgresStore::statements()] {
        let names: BTreeMap<_, _> = list.iter().copied().collect();
        assert_eq!(names.len(), list.len(), "one name, one statement");
        let texts: BTreeMap<_, _> = list.iter().map(|(name, sql)| (sql, name)).collect();
        let doubled: Vec<_> = list.iter().filter(|(name, sql)| texts[&sql] != name).collect();
        // What is read before a row is changed is kept by a lock on PostgreSQL; SQLite needs none, so there the two
        // read alike.
        assert!(doubled.iter().all(|(name, _)| ["HOLDER", "KEY", "PERSON", "EVERYBODY"].contains(name)), "{doubled:?}");
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let (_store, directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    let on_sqlite = sqlite_tables(&directory.path().join("record.db")).await;
    let server = make::server();
    let _store = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let on_postgres = postgres_tables(&server.url("postgres")).await;
    assert_eq!(on_sqlite.keys().collect::<Vec<_>>(), on_postgres.keys().collect::<Vec<_>>());
    for (table, columns) in &on_postgres {
        assert_eq!(&on_sqlite[table], columns, "in table {table}");
    }
    assert!(on_postgres.len() >= 14, "{:?}", on_postgres.keys());
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let (store, _directory) = make::sqlite_with(Arc::new(SystemClock)).await;
    store.migrate().await.unwrap();
    let server = make::server();
    let one = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let other = make::postgres_at(&server.url("postgres"), Committers::One).await;
    let (one, other) = tokio::join!(one.migrate(), other.migrate());
    one.unwrap();
    other.unwrap();
    assert_eq!(server.sql("postgres", "SELECT base FROM audit_base"), "0");
}

async fn open(path: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap()
}

async fn sqlite_tables(path: &Path) -> Tables {
    let sql = r#"SELECT t.name AS "table", c.name AS "column", c.type AS type, c."notnull" OR c.pk > 0 AS needed
                 FROM sqlite_schema t JOIN pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE '_sqlx%' ORDER BY c.cid"#;
    let mut tables = Tables::new();
    for row in sqlx::query(sql).fetch_all(&mut open(path).await).await.unwrap() {
        let needed: i64 = row.get("needed");
        tables.entry(row.get("table")).or_default().push((row.get("column"), row.get("type"), needed == 0));
    }
    tables
}

async fn postgres_tables(url: &str) -> Tables {
    let sql =
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text FROM information_schema.columns
               WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' ORDER BY ordinal_position";
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut tables = Tables::new();
    for row in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
        let kind = match row.get::<String, _>("data_type").as_str() {
            "uuid" | "bytea" => "BLOB",
            "bigint" | "timestamp with time zone" => "INTEGER",
            "text" => "TEXT",
            other => panic!("a type with no counterpart: {other}"),
        };
        let nullable = row.get::<String, _>("is_nullable") == "YES";
        tables.entry(row.get("table_name")).or_default().push((row.get("column_name"), kind.to_owned(), nullable));
    }
    tables
}

//! The database's owner: whoever can write every row past the store, and has no key.

use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};
use uuid::Uuid;

use super::servers::postgres::Postgres;

pub enum Owner {
    File(PathBuf),
    Server(Postgres),
}

impl Owner {
    pub async fn runs(&self, sql: &str) {
        match self {
            Self::File(path) => {
                let mut file: SqliteConnection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
                sqlx::query(AssertSqlSafe(sql)).execute(&mut file).await.unwrap();
            }
            Self::Server(server) => drop(server.sql("postgres", sql)),
        }
    }

    /// An id as the database writes it.
    pub fn id(&self, id: Uuid) -> String {
        match self {
            Self::File(_) => format!("x'{}'", id.simple()),
            Self::Server(_) => format!("'{id}'::uuid"),
        }
    }

    /// Bytes as the database writes them.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        let hex = data_encoding::HEXLOWER.encode(bytes);
        match self {
            Self::File(_) => format!("x'{hex}'"),
            Self::Server(_) => format!(r"'\x{hex}'::bytea"),
        }
    }
}

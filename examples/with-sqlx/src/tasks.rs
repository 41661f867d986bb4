//! What is answered: each handler is an entry, and asks the pool for a connection.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sqlx::{FromRow, Row, SqlitePool, sqlite::SqliteRow};

/// A row of the table.
#[derive(Serialize)]
struct Task {
    id: i64,
    title: String,
    done: bool,
}

impl FromRow<'_, SqliteRow> for Task {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            title: row.try_get("title")?,
            done: row.try_get("done")?,
        })
    }
}

/// The tasks that are left, the oldest first. What is given back goes to code of the version that
/// built the routes. As a `Response` it looks the same in every version, so that rows may change
/// while the program runs; as a `Json<Vec<Task>>` it would not.
#[hotswap::entry]
pub async fn list(State(pool): State<SqlitePool>) -> Result<Response, Failure> {
    let tasks: Vec<Task> =
        sqlx::query_as("SELECT id, title, done FROM tasks WHERE NOT done ORDER BY id")
            .fetch_all(&pool)
            .await?;
    Ok(Json(tasks).into_response())
}

/// Adds a task, and answers with its number.
#[hotswap::entry]
pub async fn add(State(pool): State<SqlitePool>, title: String) -> Result<String, Failure> {
    let added = sqlx::query("INSERT INTO tasks (title) VALUES (?)")
        .bind(title.trim())
        .execute(&pool)
        .await?;
    Ok(format!("{}\n", added.last_insert_rowid()))
}

/// Marks a task as done.
#[hotswap::entry]
pub async fn done(
    State(pool): State<SqlitePool>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Failure> {
    let changed = sqlx::query("UPDATE tasks SET done = TRUE WHERE id = ?")
        .bind(id)
        .execute(&pool)
        .await?;
    Ok(match changed.rows_affected() {
        0 => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    })
}

/// What a handler gives when the database fails.
pub struct Failure(sqlx::Error);

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}

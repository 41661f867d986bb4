//! A list of tasks in SQLite, behind axum.
//!
//! Start it with `cargo hotswap run -p with-sqlx` (`-- 0.0.0.0:3000` for another address), add a
//! task with `curl -d milk localhost:3000/tasks`, and edit a handler or its query: the next
//! request is served by the new code, on the connection that the pool has held all the time.
//! The database is in memory: with the connection, all tasks would be gone.

mod tasks;

use std::{env, error::Error};

use axum::{
    Router,
    routing::{get, post},
};
use sqlx::{SqlitePool, sqlite::SqlitePoolOptions};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect("sqlite::memory:")
        .await?;
    sqlx::query("CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL, done BOOLEAN NOT NULL DEFAULT FALSE)")
        .execute(&pool)
        .await?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app(pool)).await?)
}

/// The routes. They are built once, before the first request; what they lead to are entries.
fn app(pool: SqlitePool) -> Router {
    Router::new()
        .route("/tasks", get(tasks::list).post(tasks::add))
        .route("/tasks/{id}/done", post(tasks::done))
        .with_state(pool)
}

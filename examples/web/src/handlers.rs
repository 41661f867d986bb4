//! What is answered. Each handler is an entry; the attribute on a whole `mod` or `impl` would
//! mark all functions in it.

use std::sync::atomic::Ordering;

use axum::{
    Json,
    extract::{Path, State},
    response::Html,
};
use serde::{Deserialize, Serialize};

/// Counts visits.
#[hotswap::entry]
pub async fn index(State(state): State<crate::State>) -> Html<String> {
    let visits = state.visits.fetch_add(1, Ordering::Relaxed) + 1;
    Html(format!("<h1>Visit {visits}</h1>\n"))
}

/// Greets.
#[hotswap::entry]
pub async fn hello(Path(name): Path<String>) -> String {
    format!("Hello, {name}!\n")
}

/// What [`sum`] takes.
#[derive(Deserialize)]
pub struct Numbers {
    numbers: Vec<i64>,
}

/// What [`sum`] gives.
#[derive(Serialize)]
pub struct Sum {
    sum: i64,
}

/// Adds numbers up.
#[hotswap::entry]
pub async fn sum(Json(numbers): Json<Numbers>) -> Json<Sum> {
    Json(Sum {
        sum: numbers.numbers.iter().sum(),
    })
}

//! axum: handlers, extractors, `debug_handler` in either order.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::debug_handler;
use axum::extract::{Path, Query, State};
use axum::http::Request;
use axum::response::{Html, IntoResponse, Json};
use axum::routing::get;
use serde::Deserialize;
use tower::ServiceExt;

#[derive(Clone)]
struct App {
    name: &'static str,
}

#[derive(Deserialize)]
struct Greeting {
    polite: bool,
}

#[debug_handler(state = App)]
#[hotswap::entry]
async fn outside(State(app): State<App>, Path(id): Path<u32>) -> String {
    tokio::task::yield_now().await;
    format!("{} {id}", app.name)
}

#[hotswap::entry]
#[debug_handler(state = App)]
async fn inside(State(App { name }): State<App>, Query(greeting): Query<Greeting>) -> Json<String> {
    Json(if greeting.polite {
        format!("dear {name}")
    } else {
        name.to_owned()
    })
}

#[hotswap::entry]
async fn hidden(Path(_): Path<u32>) -> impl IntoResponse {
    Html("<p>")
}

#[hotswap::entry]
async fn fallible() -> Result<impl IntoResponse, String> {
    Err::<&str, _>("no".to_owned())
}

async fn body(path: &str) -> String {
    let app = Router::new()
        .route("/outside/{id}", get(outside))
        .route("/inside", get(inside))
        .route("/hidden/{id}", get(hidden))
        .route("/fallible", get(fallible))
        .with_state(App { name: "app" });
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let bytes = to_bytes(response.into_body(), 1024).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn handlers_answer() {
    assert_eq!(body("/outside/7").await, "app 7");
    assert_eq!(body("/inside?polite=true").await, "\"dear app\"");
    assert_eq!(body("/hidden/1").await, "<p>");
    assert_eq!(body("/fallible").await, "no");
}

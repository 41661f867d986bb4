//! A web server with axum.
//!
//! Start it with `cargo hotswap run -p web` (`-- 0.0.0.0:8080` for another address), and edit a
//! handler: the next request is served by the new code, open connections stay open, and the
//! visits are counted on.

mod handlers;

use std::{
    env, io,
    sync::{Arc, atomic::AtomicU64},
};

use axum::{
    Router,
    routing::{get, post},
};
use tokio::net::TcpListener;

/// What all requests share.
#[derive(Clone, Default)]
pub struct State {
    /// How many visits there were.
    pub visits: Arc<AtomicU64>,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    // What a patch has to say of a server that is in production goes to stderr.
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // A patch can only use what is in the program, so `tracing` is used once.
    tracing::info!("the log begins");
    axum::serve(listener, app()).await
}

/// The routes. They are built once, before the first request: a new route needs a restart. What
/// they lead to are entries, and new at each request.
fn app() -> Router {
    Router::new()
        .route("/", get(handlers::index))
        .route("/hello/{name}", get(handlers::hello))
        .route("/sum", post(handlers::sum))
        .with_state(State::default())
}

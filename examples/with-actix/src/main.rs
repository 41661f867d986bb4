//! A shortener of links with actix-web.
//!
//! Start it with `cargo hotswap run -p with-actix` (`-- 0.0.0.0:8080` for another address), give
//! it a link with `curl -d https://example.org localhost:8080/links`, and edit a handler: the
//! next request is served by the new code, and the links are still there.

mod handlers;

use std::{env, io};

use actix_web::{App, HttpServer, http::KeepAlive, web};
use handlers::Links;

#[actix_web::main]
async fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let links = web::Data::new(Links::default());
    // Each worker calls this closure once, when it starts: a new route needs a restart. What the
    // routes lead to are entries, and new at each request.
    let server = HttpServer::new(move || {
        App::new()
            .app_data(links.clone())
            .service(handlers::shorten)
            .service(handlers::list)
            .service(handlers::follow)
    })
    .workers(2)
    // A connection stays as long as its client does, however long an edit takes.
    .keep_alive(KeepAlive::Os)
    .bind(address)?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    server.run().await
}

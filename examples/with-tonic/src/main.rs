//! A weather service over gRPC with tonic.
//!
//! Start it with `cargo hotswap run -p with-tonic` (`-- 0.0.0.0:50051` for another address), and
//! the client with `cargo run -p with-tonic --bin with-tonic-client` in another terminal. Edit a
//! method or `describe`: the next call is answered by the new code, over the same connection, and
//! a stream that is being watched goes on with new words.

mod station;

use std::{env, error::Error};

use station::Station;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use with_tonic::weather::weather_server::WeatherServer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:50051".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // The services are added once: another service needs a restart, and so does another method,
    // since the server's code is made for a trait with these.
    let weather = WeatherServer::new(Station::default());
    Server::builder()
        .add_service(weather)
        .serve_with_incoming(TcpListenerStream::new(listener))
        .await?;
    Ok(())
}

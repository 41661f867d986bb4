//! axum.

use anyhow::Result;
use hotswap_tests::Package;

use super::{end, http::Connection, live, serve};

#[test]
fn web_serves_on_over_one_connection() -> Result<()> {
    let package = Package::of_example("web")?;
    let (mut session, address) = serve(&package, "web")?;
    let mut connection = Connection::open(&address)?;
    connection.gives("GET /", "", "<h1>Visit 1</h1>")?;
    connection.gives("GET /hello/Alice", "", "Hello, Alice!")?;
    let numbers = "{\"numbers\": [1, 2, 3]}";
    connection.gives("POST /sum", numbers, "{\"sum\":6}")?;
    let handlers = "examples/web/src/handlers.rs";
    package.edit(handlers, "\"Hello, ", "\"Howdy, ")?;
    live(&mut session)?;
    connection.gives("GET /hello/Alice", "", "Howdy, Alice!")?;
    connection.gives("GET /", "", "<h1>Visit 2</h1>")?;
    package.edit(handlers, ".iter().sum()", ".iter().map(|n| n * n).sum()")?;
    live(&mut session)?;
    connection.gives("POST /sum", numbers, "{\"sum\":14}")?;
    connection.gives("GET /", "", "<h1>Visit 3</h1>")?;
    end(session)
}

//! sqlx: the pool's connection holds the database, which is in memory.

use anyhow::Result;
use hotswap_tests::Package;

use super::{end, http::Connection, live, serve};

const TASKS: &str = "examples/with-sqlx/src/tasks.rs";

#[test]
fn sqlx_keeps_its_pool_and_what_is_in_the_database() -> Result<()> {
    let package = Package::of_example("with-sqlx")?;
    let (mut session, address) = serve(&package, "with-sqlx")?;
    let mut connection = Connection::open(&address)?;
    connection.gives("POST /tasks", "milk", "1")?;
    connection.gives("POST /tasks", "bread", "2")?;
    connection.gives("POST /tasks/1/done", "", "")?;
    let bread = r#"[{"id":2,"title":"bread","done":false}]"#;
    connection.gives("GET /tasks", "", bread)?;
    package.edit(TASKS, "WHERE NOT done ORDER BY id", "ORDER BY title")?;
    live(&mut session)?;
    let milk = r#"{"id":1,"title":"milk","done":true}]"#;
    let both = format!("{},{milk}", bread.trim_end_matches(']'));
    connection.gives("GET /tasks", "", &both)?;
    package.edit(TASKS, "title.trim()", "title.trim().to_uppercase()")?;
    live(&mut session)?;
    connection.gives("POST /tasks", "eggs", "3")?;
    let eggs = r#"[{"id":3,"title":"EGGS","done":false},"#;
    let all = both.replacen('[', eggs, 1);
    connection.gives("GET /tasks", "", &all)?;
    // A column more: rows are not what the handler gives back, so their type may change.
    package.edit(
        TASKS,
        "id, title, done FROM",
        "id, title, done, 7 AS week FROM",
    )?;
    live(&mut session)?;
    let source = std::fs::read_to_string(package.root.join(TASKS))?
        .replace("    done: bool,", "    done: bool,\n    week: i64,")
        .replace("(\"done\")?,", "(\"done\")?, week: row.try_get(\"week\")?,");
    package.write(TASKS, source.as_bytes())?;
    live(&mut session)?;
    let all = all.replace('}', ",\"week\":7}");
    connection.gives("GET /tasks", "", &all)?;
    end(session)
}

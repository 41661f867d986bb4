//! Servers as people read of them.

use std::fmt::Write as _;

use anyhow::Result;
use hotswap_protocol::servers::ServerOrder;

use super::{ServerLine, ServersLine};
use crate::output::{self, plain};
use crate::status::human::length;

/// Tells what came of an order: data on stdout, talk on stderr.
pub(super) fn tell(order: &ServerOrder, line: &ServersLine) -> Result<()> {
    match order {
        ServerOrder::Suspend { .. } => output::status("Suspended", &names(line)),
        ServerOrder::Resume { .. } => output::status("Resumed", &names(line)),
        ServerOrder::State { .. } => {
            let state = line.state.as_deref().unwrap_or_default();
            output::print(&format!("{state}\n"))?;
        }
        _ => output::print(&servers(line))?,
    }
    Ok(())
}

/// Those that it was about: by name where it is one, else how many.
fn names(line: &ServersLine) -> String {
    match line.servers.as_slice() {
        [server] => title(server),
        servers => format!("{} servers", servers.len()),
    }
}

fn title(server: &ServerLine) -> String {
    match &server.name {
        Some(name) => format!("{} `{name}`", server.kind),
        None => format!("{} {}", server.kind, server.number),
    }
}

/// A table of all servers.
fn servers(line: &ServersLine) -> String {
    let mut text = format!("{} (process {})\n", plain(&line.name), line.pid);
    if line.servers.is_empty() {
        text.push_str("  no server runs\n");
    }
    let width = |of: fn(&ServerLine) -> usize| line.servers.iter().map(of).max().unwrap_or(0);
    let name = width(|server| server.name.as_ref().map_or(1, String::len));
    let kind = width(|server| server.kind.len());
    let number = width(|server| server.number.to_string().len()).max(3);
    for server in &line.servers {
        let named = server.name.as_deref().unwrap_or("-");
        let row = format!(
            "{:>number$}  {named:<name$}  {:<kind$}  {}",
            server.number,
            server.kind,
            doing(server)
        );
        let _ = writeln!(text, "{}", plain(&row));
    }
    text
}

/// What a server does, and has done.
fn doing(server: &ServerLine) -> String {
    let activity = match server.busy_ms {
        Some(ms) => format!("busy for {}", length(ms)),
        None => server.activity.clone(),
    };
    let mut text = format!("{activity:<13} version {}", server.version);
    let _ = write!(text, ", {} handled", server.handled);
    if server.waiting > 0 {
        let _ = write!(text, ", {} waiting", server.waiting);
    }
    if server.restarts > 0 {
        let plural = if server.restarts == 1 { "" } else { "s" };
        let _ = write!(text, ", {} restart{plural}", server.restarts);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: u64, name: Option<&str>, activity: &str) -> ServerLine {
        ServerLine {
            number,
            name: name.map(str::to_owned),
            kind: "app::Room".to_owned(),
            activity: activity.to_owned(),
            version: 2,
            ..ServerLine::default()
        }
    }

    #[test]
    fn servers_in_a_table() {
        let mut line = ServersLine {
            name: "app".to_owned(),
            pid: 7,
            servers: vec![
                server(1, Some("lobby"), "idle"),
                server(12, None, "busy"),
                server(13, None, "suspended"),
            ],
            ..ServersLine::default()
        };
        line.servers[1].busy_ms = Some(61_000);
        line.servers[1].restarts = 1;
        (line.servers[2].waiting, line.servers[2].restarts) = (3, 2);
        let expected = "\
app (process 7)
  1  lobby  app::Room  idle          version 2, 0 handled
 12  -      app::Room  busy for 1 min version 2, 0 handled, 1 restart
 13  -      app::Room  suspended     version 2, 0 handled, 3 waiting, 2 restarts
";
        assert_eq!(servers(&line), expected);
        assert_eq!(names(&line), "3 servers");
        line.servers.truncate(1);
        assert_eq!(names(&line), "app::Room `lobby`");
        line.servers.clear();
        assert_eq!(servers(&line), "app (process 7)\n  no server runs\n");
    }
}

//! A client of a Redis server: as much of its protocol as setting and getting keys needs.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How long a server may think before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a server on this machine.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).context("connecting")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sets a key.
    ///
    /// # Errors
    ///
    /// The server does not answer with `OK`.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let answer = self.ask(&["SET", key, value])?;
        ensure!(
            answer.as_deref() == Some("OK"),
            "SET {key} was answered by {answer:?}"
        );
        Ok(())
    }

    /// The value of a key, if it is set.
    ///
    /// # Errors
    ///
    /// The server answers with an error, or not at all.
    pub fn get(&mut self, key: &str) -> Result<Option<String>> {
        self.ask(&["GET", key])
    }

    fn ask(&mut self, words: &[&str]) -> Result<Option<String>> {
        self.stream.get_mut().write_all(&request(words))?;
        answer(&mut self.stream)
    }
}

/// A command as an array of bulk strings.
fn request(words: &[&str]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    text.into_bytes()
}

/// Reads a simple or bulk string; `None` is the null string.
fn answer(stream: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let line = line.trim_end();
    match line
        .split_at_checked(1)
        .context("the server closed the connection")?
    {
        ("+", text) => Ok(Some(text.to_owned())),
        ("$", "-1") => Ok(None),
        ("$", length) => {
            let mut bytes = vec![0; length.parse::<usize>()? + 2];
            stream.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Ok(Some(String::from_utf8(bytes)?))
        }
        _ => bail!("the server says {line:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{answer, request};

    #[test]
    fn writes_what_redis_reads() {
        assert_eq!(
            request(&["GET", "key"]),
            b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"
        );
    }

    #[test]
    fn reads_what_redis_writes() {
        for (bytes, expected) in [
            ("+OK\r\n", Some(Some("OK"))),
            ("$-1\r\n", Some(None)),
            ("$4\r\na\r\nb\r\n", Some(Some("a\r\nb"))),
            ("-ERR no\r\n", None),
            ("", None),
        ] {
            let found = answer(&mut bytes.as_bytes()).ok();
            let expected = expected.map(|text| text.map(str::to_owned));
            assert_eq!(found, expected, "{bytes:?}");
        }
    }
}

//! A client of web servers.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use anyhow::{Context, Result, ensure};

use super::DEADLINE;

/// An open connection, over which one request follows the other.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// What a server answers.
pub struct Answer {
    /// The number.
    pub status: u16,
    /// The header's other lines.
    pub header: Vec<String>,
    /// Without the end of its last line.
    pub body: String,
}

impl Connection {
    /// Connects.
    pub fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let stream = BufReader::new(stream);
        Ok(Self { stream })
    }

    /// Sends a request, `GET /` for example, and takes the answer.
    pub fn request(&mut self, head: &str, body: &str) -> Result<Answer> {
        let length = body.len();
        // A body that is no JSON is taken as it is by who wants text.
        let head = format!("{head} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n");
        write!(
            self.stream.get_mut(),
            "{head}Content-Length: {length}\r\n\r\n{body}"
        )?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).context("no status")?.parse()?;
        let mut header = Vec::new();
        let mut length = 0;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.parse()?;
            }
            header.push(line);
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let body = String::from_utf8(body)?.trim_end().to_owned();
        Ok(Answer {
            status,
            header,
            body,
        })
    }

    /// Sends a request that must succeed with this body.
    pub fn gives(&mut self, head: &str, body: &str, expected: &str) -> Result<()> {
        let answer = self.request(head, body)?;
        let found = (answer.status, answer.body.as_str());
        ensure!(found == (200, expected), "{head}: {found:?}");
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

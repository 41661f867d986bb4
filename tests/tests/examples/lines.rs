//! Clients of servers that are talked to by lines.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use anyhow::{Result, ensure};

use super::DEADLINE;

/// A connection.
pub struct Client {
    lines: BufReader<TcpStream>,
}

impl Client {
    /// Connects; the server may take its time before it serves.
    pub fn connect(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let lines = BufReader::new(stream);
        Ok(Self { lines })
    }

    /// Sends a line.
    pub fn say(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.lines.get_mut(), "{line}")?)
    }

    /// Takes a line.
    pub fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Takes a line, which must be this.
    pub fn hears(&mut self, expected: &str) -> Result<()> {
        let line = self.hear()?;
        ensure!(line == expected, "expected {expected:?}, heard {line:?}");
        Ok(())
    }

    /// Sends a line and takes the answer, which must be this.
    pub fn asks(&mut self, line: &str, expected: &str) -> Result<()> {
        self.say(line)?;
        self.hears(expected)
    }
}

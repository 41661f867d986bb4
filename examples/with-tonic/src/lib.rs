//! The service as client and server see it: what the messages are, and what the build made of them.

/// How warm it is somewhere.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Reading {
    /// Where.
    #[prost(string, tag = "1")]
    pub city: String,
    /// In degrees Celsius.
    #[prost(double, tag = "2")]
    pub degrees: f64,
}

/// Where to look.
#[derive(Clone, PartialEq, prost::Message)]
pub struct City {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// Something to be read.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Text {
    /// One line.
    #[prost(string, tag = "1")]
    pub text: String,
}

/// The client and the server that `build.rs` makes.
#[expect(clippy::allow_attributes, reason = "made by a program")]
pub mod weather {
    include!(concat!(env!("OUT_DIR"), "/weather.Weather.rs"));
}

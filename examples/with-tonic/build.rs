//! Makes the client and the server of the service. Users with `protoc` installed have
//! `tonic-prost-build` read a `.proto` file here; this way the example needs nothing installed.

use tonic_build::manual::{Builder, Method, Service};

const CODEC: &str = "tonic_prost::ProstCodec";

fn main() {
    let report = Method::builder()
        .name("report")
        .route_name("Report")
        .input_type("crate::Reading")
        .output_type("crate::Text")
        .codec_path(CODEC)
        .build();
    let watch = Method::builder()
        .name("watch")
        .route_name("Watch")
        .input_type("crate::City")
        .output_type("crate::Text")
        .codec_path(CODEC)
        .server_streaming()
        .build();
    let weather = Service::builder()
        .name("Weather")
        .package("weather")
        .method(report)
        .method(watch)
        .build();
    Builder::new().compile(&[weather]);
    println!("cargo::rerun-if-changed=build.rs");
}

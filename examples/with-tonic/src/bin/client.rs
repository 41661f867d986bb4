//! A client of the weather service: `report CITY DEGREES` and `watch CITY`, line by line.

use std::{env, error::Error};

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio_stream::StreamExt;
use tonic::{Streaming, transport::Channel};
use with_tonic::{City, Reading, Text, weather::weather_client::WeatherClient};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "http://127.0.0.1:50051".to_owned());
    let mut client = WeatherClient::connect(address).await?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        answer(&mut client, &line).await?;
    }
    Ok(())
}

async fn answer(client: &mut WeatherClient<Channel>, line: &str) -> Result<(), Box<dyn Error>> {
    match line.split(' ').collect::<Vec<_>>()[..] {
        ["report", city, degrees] => {
            let reading = Reading {
                city: city.to_owned(),
                degrees: degrees.parse()?,
            };
            println!("{}", client.report(reading).await?.into_inner().text);
        }
        ["watch", city] => {
            let name = city.to_owned();
            let stream = client.watch(City { name }).await?.into_inner();
            println!("watching {city}");
            tokio::spawn(print(stream));
        }
        _ => println!("report CITY DEGREES or watch CITY"),
    }
    Ok(())
}

async fn print(mut stream: Streaming<Text>) {
    while let Some(Ok(Text { text })) = stream.next().await {
        println!("{text}");
    }
}

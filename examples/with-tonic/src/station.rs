//! What the service answers.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use with_tonic::{City, Reading, Text, weather::weather_server::Weather};

/// What all calls share. It is made once, and kept by every version.
pub struct Station {
    readings: Mutex<HashMap<String, Vec<f64>>>,
    news: broadcast::Sender<Reading>,
}

impl Default for Station {
    fn default() -> Self {
        Self {
            readings: Mutex::default(),
            news: broadcast::Sender::new(16),
        }
    }
}

/// Each method that is called by tonic is an entry. `#[hotswap::entry]` on the whole block would
/// say the same.
#[tonic::async_trait]
impl Weather for Station {
    /// Takes a reading, and answers with the mean of all from there.
    #[hotswap::entry]
    async fn report(&self, request: Request<Reading>) -> Result<Response<Text>, Status> {
        let reading = request.into_inner();
        let text = {
            let mut all = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
            let here = all.entry(reading.city.clone()).or_default();
            here.push(reading.degrees);
            let mean = here.iter().sum::<f64>() / here.len() as f64;
            format!("mean of {}: {mean:.1}", here.len())
        };
        // It may be that nobody watches.
        let _ = self.news.send(reading);
        Ok(Response::new(Text { text }))
    }

    type WatchStream = ReceiverStream<Result<Text, Status>>;

    /// Sends a line for each reading from a city.
    #[hotswap::entry]
    async fn watch(&self, request: Request<City>) -> Result<Response<Self::WatchStream>, Status> {
        let city = request.into_inner().name;
        let mut news = self.news.subscribe();
        let (lines, stream) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok(reading) = news.recv().await {
                if reading.city == city && lines.send(Ok(describe(&reading))).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// An entry of its own: the loop above lives as long as somebody watches, and asks the newest
/// version for the words.
#[hotswap::entry]
fn describe(reading: &Reading) -> Text {
    let Reading { city, degrees } = reading;
    Text {
        text: format!("{city} has {degrees:.1} degrees"),
    }
}

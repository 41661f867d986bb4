//! What is answered. The entry's attribute and the route's may stand in either order.

use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::{HttpRequest, HttpResponse, Responder, get, http::header::LOCATION, post, web};

/// What all workers share: each link, and how often it was followed. Its number is its place.
#[derive(Default)]
pub struct Links {
    all: Mutex<Vec<(String, u32)>>,
}

impl Links {
    /// A panic in a handler leaves the list whole.
    fn lock(&self) -> MutexGuard<'_, Vec<(String, u32)>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a link, and answers with its short form.
#[post("/links")]
#[hotswap::entry]
pub async fn shorten(links: web::Data<Links>, link: String) -> impl Responder {
    let mut links = links.lock();
    links.push((link, 0));
    HttpResponse::Ok().body(format!("/{}\n", links.len() - 1))
}

/// Lists the links that have the text after the question mark. Its future can't be sent to other
/// threads, as the request in it can't; actix leaves it where it is.
#[hotswap::entry]
#[get("/")]
pub async fn list(links: web::Data<Links>, request: HttpRequest) -> String {
    let links = links.lock();
    let lines = links.iter().enumerate();
    lines
        .filter(|(_, (link, _))| link.contains(request.query_string()))
        .map(|(number, (link, followed))| format!("/{number} {link} ({followed})\n"))
        .collect()
}

/// Sends the browser on to where a short form leads.
#[get("/{number}")]
#[hotswap::entry]
pub async fn follow(links: web::Data<Links>, number: web::Path<usize>) -> HttpResponse {
    let mut links = links.lock();
    let Some((link, followed)) = links.get_mut(number.into_inner()) else {
        return HttpResponse::NotFound().body("no such link\n");
    };
    *followed += 1;
    HttpResponse::Found()
        .insert_header((LOCATION, link.as_str()))
        .finish()
}

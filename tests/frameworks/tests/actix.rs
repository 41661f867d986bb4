//! actix: route macros in either order, handlers that are not `Send`.

use std::rc::Rc;

use actix_web::{App, HttpResponse, Responder, get, post, test, web};

#[get("/outside/{id}")]
#[hotswap::entry]
async fn outside(id: web::Path<u32>) -> impl Responder {
    let local = Rc::new(id.into_inner());
    tokio::task::yield_now().await;
    HttpResponse::Ok().body(format!("outside {local}"))
}

#[hotswap::entry]
#[post("/inside")]
async fn inside(body: String) -> HttpResponse {
    let local = Rc::new(body);
    tokio::task::yield_now().await;
    HttpResponse::Ok().body(local.to_uppercase())
}

#[actix_web::test]
async fn routes_answer() {
    let app = test::init_service(App::new().service(outside).service(inside)).await;
    let request = test::TestRequest::get().uri("/outside/7").to_request();
    assert_eq!(test::call_and_read_body(&app, request).await, "outside 7");
    let request = test::TestRequest::post()
        .uri("/inside")
        .set_payload("ab")
        .to_request();
    assert_eq!(test::call_and_read_body(&app, request).await, "AB");
}

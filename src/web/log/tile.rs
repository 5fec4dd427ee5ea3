//! Tiles of the log's hashes.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::log::Tile;
use crate::service::{Context, Error};
use crate::web::problem::Problem;

/// One tile, full or as wide as the path says. Either never changes.
pub async fn handle(cx: web::Data<Context>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let tile: Tile = req.match_info().query("tile").parse().map_err(|_| Error::NotFound)?;
    let newest = cx.log.store.newest().await.map_err(Error::from)?.ok_or(Error::NotFound)?;
    // What isn't signed yet isn't shown, and a width that no tree had isn't either.
    if u64::from(tile.width) > tile.at.width(newest.head.size) {
        return Err(Error::NotFound.into());
    }
    let tiles = cx.log.store.tiles(&[tile.at]).await.map_err(Error::from)?;
    let hashes = tiles.served(tile).ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")))
        .body(hashes))
}

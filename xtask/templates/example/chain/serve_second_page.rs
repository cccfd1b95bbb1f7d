use wb_stdlib::prelude::*;

/// The shop opens: another page, which browsers may keep for a minute.
#[migration(role = "web")]
fn serve_second_page(host: &Host) -> Result<()> {
    let nginx = host.service("nginx");
    host.file("/var/www/shop/index.html").content(asset!("second_page.html")).present()?;
    host.file("/etc/nginx/sites-available/shop")
        .template(template!("shop.conf", host = host.name(), expires = "1m"))
        .reloads(&nginx)
        .present()?;
    Ok(())
}

#[spec]
fn the_second_page_is_served(host: &View) -> Result<()> {
    host.http("http://127.0.0.1/").with_body("The second page").answers(200)
}

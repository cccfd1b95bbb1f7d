use wb_stdlib::prelude::*;

/// The shop's first page, and the answer that the load balancer wants to hear from a healthy web server.
#[migration(role = "web", wait = all("load_balancer"))]
fn serve_first_page(host: &Host) -> Result<()> {
    let nginx = host.service("nginx");
    host.directory("/var/www/shop").present()?;
    host.file("/var/www/shop/index.html").content(asset!("first_page.html")).present()?;
    host.file("/etc/nginx/sites-available/shop")
        .template(template!("shop.conf", host = host.name(), expires = "off"))
        .reloads(&nginx)
        .present()?;
    host.link("/etc/nginx/sites-enabled/shop").reloads(&nginx).to("/etc/nginx/sites-available/shop")?;
    host.link("/etc/nginx/sites-enabled/default").reloads(&nginx).absent()?;
    Ok(())
}

#[spec]
fn the_shop_is_served(host: &View) -> Result<()> {
    host.http("http://127.0.0.1/").with_body("<title>Shop</title>").answers(200)
}

#[spec]
fn it_is_healthy(host: &View) -> Result<()> {
    host.http("http://127.0.0.1/health").with_body("healthy").answers(200)
}

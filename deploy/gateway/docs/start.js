// An API key given under "Authorize" stays in this tab; requests go to the gateway that served the page.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  displayRequestDuration: true,
  tagsSorter: "alpha",
});

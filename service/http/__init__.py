"""HTTP around the routes: middleware, the streamed response, resume, errors, authentication and OpenAPI."""

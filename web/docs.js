// SPDX-License-Identifier: Apache-2.0
// Draws Swagger UI from the server's own description. No validator badge: it would ask another server.
SwaggerUIBundle({
	url: '/openapi.json',
	dom_id: '#swagger-ui',
	deepLinking: true,
	displayRequestDuration: true,
	validatorUrl: null,
	tryItOutEnabled: false,
	presets: [SwaggerUIBundle.presets.apis],
	layout: 'BaseLayout',
});

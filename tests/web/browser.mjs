// SPDX-License-Identifier: Apache-2.0
// browser.mjs PART URL: what a person would do and see. Fails on errors in the console and on requests to other servers.
import assert from 'node:assert/strict';

const [part, url] = process.argv.slice(2);
const { chromium } = await import(process.env.PLAYWRIGHT);
const browser = await chromium.launch({
	executablePath: process.env.CHROMIUM,
	args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
});
const page = await browser.newPage();
page.setDefaultTimeout(120000);
const complaints = [];
page.on('console', (m) => m.type() === 'error' && complaints.push(m.text()));
page.on('pageerror', (e) => complaints.push(String(e)));
page.on('request', (r) => {
	if (!r.url().startsWith(url) && !r.url().startsWith('data:') && !r.url().startsWith('blob:'))
		complaints.push(`a request to another server: ${r.url()}`);
});

async function swagger() {
	await page.goto(`${url}/docs`);
	await page.waitForSelector('.swagger-ui .info .title');
	assert.match(await page.textContent('.swagger-ui .info .title'), /fhirline/);
	assert.ok(await page.locator('.opblock').count() >= 15, 'all operations are drawn');
	const operation = page.locator('#operations-Zip_codes-listZipcodes, [id$="-listZipcodes"]').first();
	await operation.locator('.opblock-summary').click();
	await operation.getByRole('button', { name: 'Try it out' }).click();
	await operation.getByRole('button', { name: 'Execute' }).click();
	const status = operation.locator('.live-responses-table .response-col_status').last();
	await status.waitFor();
	assert.match(await status.textContent(), /200/);
	assert.match(await operation.locator('.live-responses-table').textContent(), /items/);
}

async function dashboard() {
	await page.goto(`${url}/`);
	assert.equal(await page.evaluate(() => document.characterSet), 'UTF-8');
	await page.getByText('ready', { exact: true }).waitFor();
	await page.locator('#zip').fill('123');
	await page.getByRole('button', { name: 'Load', exact: true }).click();
	await page.getByText('exactly five digits').waitFor();
	await page.locator('#zip').fill('02139');
	await page.getByRole('button', { name: 'Load', exact: true }).click();
	await page.locator('#runs .pill.completed').waitFor();
	const cells = (await page.locator('#runs tbody tr').first().locator('td').allTextContents()).map(Number);
	const [expected, fetched, , , inserted, updated, unchanged, , rejected, duplicates, , elsewhere, missing] = cells;
	assert.equal(fetched, 12, `fetched patients: ${cells}`);
	assert.equal(fetched, inserted + updated + unchanged + rejected + duplicates, `the numbers add up: ${cells}`);
	assert.equal(expected, fetched - duplicates + elsewhere + missing, `and those of the server: ${cells}`);
	await page.locator('#zips').getByRole('button', { name: '02139' }).click();
	await page.waitForFunction(() => document.querySelectorAll('#patients tr').length === 12);
	await page.locator('#patients button').first().click();
	await page.locator('#observations tr').nth(3).waitFor();
	assert.match(await page.textContent('#observations-title'), /Observations of ./);
	await page.locator('#p-first').fill('nobody at all');
	await page.getByRole('button', { name: 'Search' }).click();
	await page.getByText('No patient fits.').waitFor();
	const unnamed = await page.evaluate(() => [...document.querySelectorAll('input, select, button, progress, img')].filter((e) =>
		!e.labels?.length && !e.textContent.trim() && !e.getAttribute('aria-label') && !e.hasAttribute('alt')).map((e) => e.outerHTML));
	assert.deepEqual(unnamed, [], 'every control has a name');
	await page.setViewportSize({ width: 360, height: 800 });
	assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360), 'it fits a telephone');
	if (process.env.SCREENSHOT) {
		await page.setViewportSize({ width: 1200, height: 1000 });
		await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
	}
}

try {
	await { swagger, dashboard }[part]();
	assert.deepEqual(complaints, []);
} catch (error) {
	console.error(complaints.join('\n'));
	throw error;
} finally {
	await browser.close();
}

/* SPDX-License-Identifier: Apache-2.0 */
package fhirline.hapi;

import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.match.config.SubscriptionProcessorConfig;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import ca.uhn.fhir.narrative2.NullNarrativeGenerator;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.IncomingRequestAddressStrategy;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.beans.factory.config.AutowireCapableBeanFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.elasticsearch.ElasticsearchRestClientAutoConfiguration;
import org.springframework.boot.autoconfigure.flyway.FlywayAutoConfiguration;
import org.springframework.boot.autoconfigure.orm.jpa.HibernateJpaAutoConfiguration;
import org.springframework.boot.autoconfigure.quartz.QuartzAutoConfiguration;
import org.springframework.boot.autoconfigure.thymeleaf.ThymeleafAutoConfiguration;
import org.springframework.boot.web.servlet.ServletRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;

import java.util.Map;

/**
 * A HAPI FHIR R4 JPA server for the tests: /fhir on loopback, on a database file of H2, with the defaults of HAPI's own starter
 * project (pages of 20, pretty-printed JSON, reused searches, next links on the caller's Host). Knobs are Spring properties,
 * given as --NAME=VALUE: page.default, page.max, search.retain-seconds, search.reuse-seconds; see DEFAULTS and {@link Store}.
 */
@Configuration
@EnableAutoConfiguration(exclude = {ElasticsearchRestClientAutoConfiguration.class, FlywayAutoConfiguration.class,
		HibernateJpaAutoConfiguration.class, QuartzAutoConfiguration.class, ThymeleafAutoConfiguration.class})
@Import({Store.class, JpaR4Config.class, ThreadPoolFactoryConfig.class, JpaBatch2Config.class, Batch2JobsConfig.class,
		SubscriptionSubmitterConfig.class, SubscriptionProcessorConfig.class, SubscriptionChannelConfig.class})
public class Server {
	private static final Map<String, Object> DEFAULTS = Map.ofEntries(
			Map.entry("server.address", "127.0.0.1"),
			Map.entry("server.port", "8090"),
			Map.entry("server.tomcat.relaxed-query-chars", "|"),
			Map.entry("spring.main.allow-circular-references", "true"),
			Map.entry("spring.main.banner-mode", "off"),
			Map.entry("spring.datasource.username", "sa"),
			Map.entry("spring.datasource.driver-class-name", "org.h2.Driver"),
			Map.entry("spring.datasource.hikari.maximum-pool-size", "20"),
			Map.entry("logging.level.root", "WARN"),
			Map.entry("page.default", "20"),
			Map.entry("page.max", "2147483647"),
			Map.entry("search.retain-seconds", "3600"),
			Map.entry("search.reuse-seconds", "60"));

	public static void main(String[] args) {
		SpringApplication app = new SpringApplication(Server.class);
		app.setDefaultProperties(DEFAULTS);
		app.run(args);
	}

	@Bean
	public DatabaseBackedPagingProvider databaseBackedPagingProvider(
			@Value("${page.default}") int pageDefault, @Value("${page.max}") int pageMax) {
		DatabaseBackedPagingProvider paging = new DatabaseBackedPagingProvider();
		paging.setDefaultPageSize(pageDefault);
		paging.setMaximumPageSize(pageMax);
		return paging;
	}

	@Bean
	public RestfulServer fhirServer(FhirContext context, IFhirSystemDao<?, ?> systemDao, IJpaSystemProvider systemProvider,
			ResourceProviderFactory resourceProviders, JpaStorageSettings settings, ISearchParamRegistry searchParams,
			IValidationSupport validation, DatabaseBackedPagingProvider paging) {
		context.setNarrativeGenerator(new NullNarrativeGenerator());
		RestfulServer server = new RestfulServer(context);
		server.registerProviders(resourceProviders.createProviders());
		server.registerProvider(systemProvider);
		server.setServerConformanceProvider(
				new JpaCapabilityStatementProvider(server, systemDao, settings, searchParams, validation));
		server.setDefaultPrettyPrint(true);
		server.setDefaultResponseEncoding(EncodingEnum.JSON);
		server.setServerAddressStrategy(new IncomingRequestAddressStrategy());
		server.setPagingProvider(paging);
		return server;
	}

	@Bean
	public ServletRegistrationBean<RestfulServer> fhirServlet(RestfulServer server, AutowireCapableBeanFactory beans) {
		beans.autowireBean(server);
		ServletRegistrationBean<RestfulServer> servlet = new ServletRegistrationBean<>(server, "/fhir/*");
		servlet.setLoadOnStartup(1);
		return servlet;
	}
}

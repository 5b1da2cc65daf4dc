/* SPDX-License-Identifier: Apache-2.0 */
package fhirline.hapi;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.jpa.api.IDaoRegistry;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.config.HibernatePropertiesProvider;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.config.util.ResourceCountCacheUtil;
import ca.uhn.fhir.jpa.dao.FulltextSearchSvcImpl;
import ca.uhn.fhir.jpa.dao.IFulltextSearchSvc;
import ca.uhn.fhir.jpa.dao.search.HSearchSortHelperImpl;
import ca.uhn.fhir.jpa.dao.search.IHSearchSortHelper;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.model.entity.StorageSettings;
import ca.uhn.fhir.jpa.provider.DaoRegistryResourceSupportedSvc;
import ca.uhn.fhir.jpa.search.IStaleSearchDeletingSvc;
import ca.uhn.fhir.jpa.search.StaleSearchDeletingSvcImpl;
import ca.uhn.fhir.jpa.subscription.match.deliver.email.IEmailSender;
import ca.uhn.fhir.jpa.util.ResourceCountCache;
import ca.uhn.fhir.rest.api.IResourceSupportedSvc;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import jakarta.persistence.EntityManagerFactory;
import org.hibernate.boot.archive.scan.internal.DisabledScanner;
import org.hibernate.boot.model.naming.CamelCaseToUnderscoresNamingStrategy;
import org.hibernate.dialect.Dialect;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;
import org.springframework.transaction.annotation.EnableTransactionManagement;

import javax.sql.DataSource;
import java.util.List;
import java.util.Map;

/** Persistence: what HAPI's JPA module asks of the application around it, and its storage settings. */
@Configuration
@EnableTransactionManagement
public class Store {
	@Bean
	public JpaStorageSettings jpaStorageSettings(@Value("${page.max}") int pageMax,
			@Value("${search.retain-seconds}") long retainSeconds, @Value("${search.reuse-seconds}") long reuseSeconds) {
		JpaStorageSettings settings = new JpaStorageSettings();
		settings.setFetchSizeDefaultMaximum(pageMax);
		settings.setExpireSearchResultsAfterMillis(retainSeconds * 1000);
		settings.setReuseCachedSearchResultsForMillis(reuseSeconds == 0 ? null : Long.valueOf(reuseSeconds * 1000));
		settings.setSearchPreFetchThresholds(List.of(13, 503, 2003, -1));
		settings.setAllowContainsSearches(true);
		settings.setFilterParameterEnabled(true);
		settings.setIndexMissingFields(StorageSettings.IndexEnabledEnum.DISABLED);
		settings.setHibernateSearchIndexSearchParams(false);
		// The tests load patients and observations only; encounters, practitioners and organizations stay dangling.
		settings.setEnforceReferentialIntegrityOnWrite(false);
		settings.setEnforceReferentialIntegrityOnDelete(false);
		return settings;
	}

	@Bean
	@Primary
	public LocalContainerEntityManagerFactoryBean entityManagerFactory(DataSource source,
			ConfigurableListableBeanFactory beans, FhirContext context, JpaStorageSettings settings) {
		LocalContainerEntityManagerFactoryBean factory =
				HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, context, settings);
		factory.setPersistenceUnitName("HAPI_PU");
		factory.setDataSource(source);
		factory.setJpaPropertyMap(Map.of(
				"hibernate.dialect", HapiFhirH2Dialect.class.getName(),
				"hibernate.hbm2ddl.auto", "update",
				"hibernate.jdbc.batch_size", "50",
				"hibernate.cache.use_query_cache", "false",
				"hibernate.cache.use_second_level_cache", "false",
				"hibernate.search.enabled", "false",
				"hibernate.archive.scanner", DisabledScanner.class.getName(),
				"hibernate.physical_naming_strategy", CamelCaseToUnderscoresNamingStrategy.class.getName()));
		return factory;
	}

	@Bean
	@Primary
	public JpaTransactionManager transactionManager(EntityManagerFactory factory) {
		return new JpaTransactionManager(factory);
	}

	@Bean
	@Primary
	public HibernatePropertiesProvider hibernateProperties() {
		Dialect dialect = new HapiFhirH2Dialect();
		return new HibernatePropertiesProvider() {
			@Override
			public Dialect getDialect() {
				return dialect;
			}
		};
	}

	@Bean
	public PartitionSettings partitionSettings() {
		return new PartitionSettings();
	}

	@Bean
	public SubscriptionSettings subscriptionSettings() {
		return new SubscriptionSettings();
	}

	@Bean
	public IEmailSender emailSender() {
		return details -> {};
	}

	@Bean
	public IFulltextSearchSvc fulltextSearch() {
		return new FulltextSearchSvcImpl();
	}

	@Bean
	public IHSearchSortHelper fulltextSort(ISearchParamRegistry searchParams) {
		return new HSearchSortHelperImpl(searchParams);
	}

	@Bean
	public IStaleSearchDeletingSvc staleSearches() {
		return new StaleSearchDeletingSvcImpl();
	}

	@Bean
	public IResourceSupportedSvc resourceSupport(IDaoRegistry registry) {
		return new DaoRegistryResourceSupportedSvc(registry);
	}

	@Bean(name = "myResourceCountsCache")
	public ResourceCountCache resourceCounts(IFhirSystemDao<?, ?> systemDao) {
		return ResourceCountCacheUtil.newResourceCountCache(systemDao);
	}
}

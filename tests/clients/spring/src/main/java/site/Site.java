package site;

import static org.springframework.security.config.Customizer.withDefaults;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.authentication.ForwardAuthenticationFailureHandler;

/**
 * A website that logs people in with Spring Security.
 *
 * <p>Where and as what is in application.yml. People who are logged in are kept in memory.
 */
@SpringBootApplication
public class Site {
    public static void main(String[] arguments) {
        SpringApplication.run(Site.class, arguments);
    }

    @Bean
    SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository registrations) {
        var logoutAtHufu = new OidcClientInitiatedLogoutSuccessHandler(registrations);
        logoutAtHufu.setPostLogoutRedirectUri("{baseUrl}/");
        return http
                .authorizeHttpRequests(requests -> requests
                        .requestMatchers("/", "/refused", "/error").permitAll()
                        .anyRequest().authenticated())
                .oauth2Login(login -> login.failureHandler(new ForwardAuthenticationFailureHandler("/refused")))
                .logout(logout -> logout.logoutSuccessHandler(logoutAtHufu))
                // Hufu tells of logouts elsewhere at /logout/connect/back-channel/hufu.
                .oidcLogout(logout -> logout.backChannel(withDefaults()))
                .build();
    }
}
